"""One heat map on the grid of a scan, of the maps of all candidates."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungpipe.explain.candidates import PatchMap
from lungpipe.geometry import Grid


def paste_maps(maps: Sequence[PatchMap], grid: Grid) -> NDArray[np.float32]:
    """Return the maps on any grid (float32, 0 to 1, zyx), linear between their voxels, 0 outside their patches.

    Each map is divided by its own maximum. Where patches overlap, the larger value counts.
    """
    pasted = np.zeros(grid.shape_zyx, dtype=np.float32)
    for one in maps:
        box = _box_of(one.grid, grid)
        axes = [np.arange(side.start, side.stop) for side in box]
        if min(len(axis) for axis in axes) == 0:
            continue
        world = grid.to_world(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        index = np.moveaxis(one.grid.to_index(world), -1, 0)
        values = ndimage.map_coordinates(one.relative(), index, order=1, mode="constant", cval=0.0, prefilter=False)
        pasted[box] = np.maximum(pasted[box], values)
    return pasted


def _box_of(patch: Grid, grid: Grid) -> tuple[slice, slice, slice]:
    """Return the voxels of the grid that may be in the patch."""
    corners = patch.to_world(list(product(*((0, side - 1) for side in patch.shape_zyx))))
    index = grid.to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)), 0, grid.shape_zyx).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, low, grid.shape_zyx).astype(int)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x
