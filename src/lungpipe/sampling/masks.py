"""Nodule masks of a dataset, resampled to windows of its stored volumes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.metaimage_header import HEADER_ENDINGS
from lungpipe.datasets.nodule_masks import read_nodule_mask
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid, Window
from lungpipe.sampling.blocks import BlockCache, VolumeShelf

CACHE_BYTES = 2**28
"""Bytes of masks kept in memory: two thousand of 50^3 voxels, or three of 512 x 512 x 300."""
DECIMALS = 6
"""Decimals to which voxel indices are rounded: spacings such as 0.703125 are not exact."""


class NoduleMasks:
    """The masks of a dataset's series; a window of a series without a mask is empty. Thread-safe."""

    def __init__(self, paths: Mapping[str, Path], stores: Mapping[str, Path]) -> None:
        """Store header paths and stores by series UID; no voxel is read."""
        self.series = tuple(sorted(paths.keys() & stores.keys()))
        self._numbers = {series_uid: number for number, series_uid in enumerate(self.series)}
        self._paths, self._shelf = dict(paths), VolumeShelf(stores)
        self._grids: dict[int, Grid] = {}
        self._masks = BlockCache(self._read, CACHE_BYTES)

    @classmethod
    def of(cls, files: Iterable[Path], stores: Mapping[str, Path]) -> "NoduleMasks":
        """Return the masks among `files`: headers named by their series, and their voxels."""
        headers = [path for path in map(Path, files) if path.suffix.lower() in HEADER_ENDINGS]
        return cls({path.name.removesuffix(path.suffix): path for path in headers}, stores)

    def __call__(self, series_uid: str, window: Window) -> NDArray[np.uint8]:
        """Return the mask (uint8 0/1, zyx) in a window of the series' stored volume; 0 where the mask has no voxel.

        Raises:
            ScanError: a mask that cannot be read, or does not belong to the volume; the message names the file.
            VolumeError: a volume that cannot be opened.
        """
        number = self._numbers.get(series_uid)
        if number is None:
            return np.zeros(window.shape_zyx, dtype=np.uint8)
        [mask] = self._masks.get([number])
        return cut_mask(mask, self._grids[number], self._shelf[series_uid].grid, window)

    def _read(self, number: int) -> NDArray[np.uint8]:
        series_uid = self.series[number]
        mask, grid = read_nodule_mask(self._paths[series_uid])
        voxels = np.argwhere(mask)
        if len(voxels) and not self._shelf[series_uid].grid.contains(grid.to_world(voxels.mean(axis=0))):
            path, middle = self._paths[series_uid], np.round(grid.to_world(voxels.mean(axis=0)), 1).tolist()
            raise ScanError(f"{path}: expected a mask within its scan, found it around {middle} mm (zyx)")
        self._grids[number] = grid
        return mask


def cut_mask(mask: NDArray[np.uint8], mask_grid: Grid, volume_grid: Grid, window: Window) -> NDArray[np.uint8]:
    """Return a mask (zyx) in a window of another grid: every voxel takes the nearest voxel of the mask, 0 outside it.

    Halfway between two voxels the voxel of the higher index is used. The grids may be shifted, flipped, turned or
    oblique.
    """
    start = np.asarray(window.start_zyx_vox, dtype=np.float64)
    places = mask_grid.to_index(volume_grid.to_world(start + np.vstack([np.zeros(3), np.eye(3)])))
    first, steps = places[0], places[1:] - places[0]
    whole = np.round(first)
    if np.allclose(steps, np.eye(3), rtol=0, atol=1e-9) and np.allclose(first, whole, rtol=0, atol=10.0**-DECIMALS):
        # the voxel positions are equal: copy
        return Window((int(whole[0]), int(whole[1]), int(whole[2])), window.shape_zyx).cut(mask, 0)
    z, y, x = np.ogrid[tuple(slice(size) for size in window.shape_zyx)]
    inside, nearest = np.ones(window.shape_zyx, dtype=bool), []
    for axis, size in enumerate(mask.shape):
        place = first[axis] + steps[0, axis] * z + steps[1, axis] * y + steps[2, axis] * x
        index = np.floor(np.round(place, DECIMALS) + 0.5).astype(np.intp)
        inside &= (index >= 0) & (index < size)
        nearest.append(np.clip(index, 0, size - 1))
    taken: NDArray[np.uint8] = np.where(inside, mask[tuple(nearest)], 0).astype(np.uint8)
    return taken
