"""Axis-aligned windows of voxel arrays, clipped and padded."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Sliceable(Protocol):
    """An array in memory or on disk: slices give NumPy arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""

    def __getitem__(self, box: tuple[slice, ...], /) -> NDArray[Any]:
        """Return a part."""


@dataclass(frozen=True, slots=True)
class Window:
    """A box of voxels [start, start + shape), zyx, that may reach beyond its array."""

    start_zyx_vox: tuple[int, int, int]
    shape_zyx: tuple[int, int, int]

    def clipped(self, array_shape_zyx: tuple[int, ...]) -> tuple[slice, slice, slice]:
        """Return the slices of the part that lies inside an array of that shape (empty slices where none does)."""
        z, y, x = (
            slice(min(max(a, 0), n), max(min(a + size, n), 0))
            for a, size, n in zip(self.start_zyx_vox, self.shape_zyx, array_shape_zyx, strict=True)
        )
        return (z, y, x)

    def cut(self, array: Sliceable, fill: float) -> NDArray[Any]:
        """Return the window's voxels as an own array of `shape_zyx`; voxels outside `array` hold `fill`."""
        patch = np.full(self.shape_zyx, fill, dtype=array.dtype)
        source = self.clipped(array.shape)
        starts = [s.start - a for s, a in zip(source, self.start_zyx_vox, strict=True)]
        sizes = [max(s.stop - s.start, 0) for s in source]
        if min(sizes) > 0:
            target = tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
            patch[target] = array[source]
        return patch

    def cut_nearest(self, array: Sliceable) -> NDArray[Any]:
        """Return the window's voxels as an own array of `shape_zyx`; outside `array` the nearest voxel repeats."""
        wanted = [
            np.clip(np.arange(a, a + size), 0, n - 1)
            for a, size, n in zip(self.start_zyx_vox, self.shape_zyx, array.shape, strict=True)
        ]
        z, y, x = (slice(int(index[0]), int(index[-1]) + 1) for index in wanted)
        inside = np.array(array[z, y, x])
        if inside.shape == self.shape_zyx:
            return inside
        return inside[np.ix_(*(index - index[0] for index in wanted))]


def window_around(center_zyx_vox: ArrayLike, shape_zyx: tuple[int, int, int]) -> Window:
    """Return the window of that shape whose middle is nearest to a continuous voxel index (zyx)."""
    center = np.asarray(center_zyx_vox, dtype=np.float64)
    start = np.round(center - (np.asarray(shape_zyx) - 1) / 2.0).astype(int)
    return Window((int(start[0]), int(start[1]), int(start[2])), shape_zyx)
