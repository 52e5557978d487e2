"""Tiles of a volume: a lattice that depends on the volume's shape, not on the search region."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Window
from lungpipe.settings.recipe import DetectorInference

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: the core (zyx voxels) that is kept, and the window that is read and computed."""

    core: Box
    window: Window


def lay_tiles(region: NDArray[np.bool_], inference: DetectorInference, stride: int) -> tuple[Tile, ...]:
    """Return the tiles of a volume whose core meets the region (mask of the volume's shape, zyx).

    Cores start at voxel 0, have multiples of the network's total `stride` as sides, and cover the volume without
    overlap; the last cores may extend beyond the volume. Every window adds `halo_vox` on each side. All windows
    have one shape: the smallest that covers the volume with as many tiles as `tile_size_vox` needs.
    """
    cores = [_split(size, inference, stride) for size in region.shape]
    tiles = []
    for z, y, x in product(*cores):
        if region[z, y, x].any():
            tiles.append(Tile((z, y, x), _widen((z, y, x), inference.halo_vox)))
    return tuple(tiles)


def box_around(region: NDArray[np.bool_], stride: int) -> Box | None:
    """Return the smallest box (zyx) with sides at multiples of `stride` around the region; None without a region."""
    sides = []
    for axis in range(3):
        filled = np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(filled):
            return None
        low, high = int(filled[0]), int(filled[-1]) + 1
        sides.append(slice(low // stride * stride, -(-high // stride) * stride))
    z, y, x = sides
    return (z, y, x)


def _split(size: int, inference: DetectorInference, stride: int) -> list[slice]:
    largest = inference.tile_size_vox - 2 * inference.halo_vox
    count = -(-size // largest)
    side = -(-size // (count * stride)) * stride
    return list(_steps(size, side))


def _steps(size: int, side: int) -> Iterator[slice]:
    for start in range(0, size, side):
        yield slice(start, start + side)


def _widen(core: Box, halo: int) -> Window:
    (z, y, x), (depth, height, width) = (
        [side.start - halo for side in core],
        [side.stop - side.start + 2 * halo for side in core],
    )
    return Window((z, y, x), (depth, height, width))
