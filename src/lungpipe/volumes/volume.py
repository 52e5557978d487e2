"""The interface of volumes for training and inference, stored or in memory."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid, Window


class Volume(Protocol):
    """A resampled scan: HU and lung labels on one axis-aligned grid."""

    @property
    def series_uid(self) -> str:
        """Series instance UID, never altered."""

    @property
    def grid(self) -> Grid:
        """Shape, spacing and origin of both arrays."""

    def read_hu(self, window: Window | None = None) -> NDArray[np.int16]:
        """Return HU (int16, zyx) of the whole volume or of a window; outside the volume its nearest voxel repeats.

        A vessel that leaves the volume goes on outside. With air outside, its cut end looks like a nodule.
        """

    def read_lungs(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the lung labels (uint8, zyx; 0 none) of the whole volume or of a window, 0 outside the volume."""


@dataclass(frozen=True, slots=True, eq=False)
class MemoryVolume:
    """A volume whose arrays are in memory; without `lungs` the whole volume counts as lung.

    Raises:
        ValueError: an array of another shape than the grid's, or of another type than int16 (HU) or uint8 (lungs).
    """

    series_uid: str
    grid: Grid
    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        for name, array, dtype in (("hu", self.hu, np.int16), ("lungs", self.lungs, np.uint8)):
            if array is not None and (array.shape != self.grid.shape_zyx or array.dtype != dtype):
                expected = f"{np.dtype(dtype)} {self.grid.shape_zyx}"
                found = f"{array.dtype} {array.shape}"
                raise ValueError(f"series {self.series_uid}, {name}: expected {expected}, found {found}")

    def read_hu(self, window: Window | None = None) -> NDArray[np.int16]:
        """Return HU (int16, zyx) of the whole volume or of a window; outside the volume its nearest voxel repeats.

        A vessel that leaves the volume goes on outside. With air outside, its cut end looks like a nodule.
        """
        return self.hu if window is None else window.cut_nearest(self.hu)

    def read_lungs(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the lung labels (uint8, zyx; 0 none) of the whole volume or of a window, 0 outside the volume."""
        lungs = np.ones(self.grid.shape_zyx, np.uint8) if self.lungs is None else self.lungs
        return lungs if window is None else window.cut(lungs, 0)
