"""A raw CT scan on its native grid, and what every reader asks of one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid

HIGHEST_MINIMUM_HU = -200
"""A chest CT holds air and lung; a scan whose darkest voxel is brighter is no HU image (offset, unsigned, windowed)."""
MIN_SIZE_VOX = 2
"""Fewer voxels along an axis make a slice, not a volume."""


class ScanError(ValueError):
    """A scan that cannot be trusted; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One CT series: int16 HU (zyx) on its native grid.

    Raises:
        ValueError: an array of another dtype or of another shape than the grid's.
    """

    series_uid: str
    hu: NDArray[np.int16]
    grid: Grid

    def __post_init__(self) -> None:
        if self.hu.dtype != np.int16 or self.hu.shape != self.grid.shape_zyx:
            found = f"{self.hu.dtype} {self.hu.shape}"
            raise ValueError(f"scan {self.series_uid}: expected int16 {self.grid.shape_zyx}, found {found}")


def check_hu(scan: Scan, path: Path) -> Scan:
    """Return `scan` if it can be a chest CT in HU.

    Raises:
        ScanError: fewer than two voxels along an axis, or no air in it (unsigned, offset or windowed values).
    """
    if min(scan.grid.shape_zyx) < MIN_SIZE_VOX:
        raise ScanError(f"{path}: expected at least {MIN_SIZE_VOX} voxels per axis, found {scan.grid.shape_zyx} (zyx)")
    darkest = int(scan.hu.min())
    if darkest > HIGHEST_MINIMUM_HU:
        found = f"values from {darkest} to {int(scan.hu.max())}"
        raise ScanError(f"{path}: expected HU with air (some voxel <= {HIGHEST_MINIMUM_HU}), found {found}")
    return scan
