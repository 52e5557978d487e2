"""A raw CT scan on its native grid, and the checks of every reader."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid

MIN_SIZE_VOX = 2
"""Fewest voxels along an axis; fewer are a slice, not a volume."""
MAX_VOXELS = 2**31
"""Ten times what 512 x 512 x 800 hold; more is a damaged header, and would not fit into memory."""
SPACING_MM = (0.1, 20.0)
"""A spacing outside these limits has another unit: m, cm and inches are below, micrometres above."""
EXTENT_MM = (20.0, 2500.0)
"""Limits (mm) along each axis: no chest and no crop around a nodule is smaller, no body larger."""
AIR_RANGE_HU = (-1500, -200)
"""HU of air, lung and their noise; darker voxels are padding."""
BRIGHTEST_HU = 4095
"""Brightest HU of tissue and bone; only metal is brighter."""
MIN_SHARE = 0.001
"""Share of voxels that must be air, and that must be tissue (crops of LUNA16 hold at least 0.16 and 0.002)."""
MAX_STRANGE_SHARE = 0.05
"""Share of voxels that may be neither air nor tissue nor padding (crops of LUNA16 hold up to 0.005)."""
MAX_BLANK_SHARE = 0.05
"""Share of slices that may hold nothing but 0 HU; more were never written (a crop of LUNA16 has one of 50)."""
_SAMPLE_VOX = 1 << 20


class ScanError(ValueError):
    """A malformed scan; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One CT series: int16 HU (zyx) on its native grid, and its reader's remarks.

    `remarks` are sentences for the user about parts that were left out, or statements of the files that were ignored.

    Raises:
        ValueError: an array of another dtype or of another shape than the grid's.
    """

    series_uid: str
    hu: NDArray[np.int16]
    grid: Grid
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.dtype != np.int16 or self.hu.shape != self.grid.shape_zyx:
            found = f"{self.hu.dtype} {self.hu.shape}"
            raise ValueError(f"scan {self.series_uid}: expected int16 {self.grid.shape_zyx}, found {found}")


def check_grid(grid: Grid, path: Path) -> None:
    """Refuse a grid that no CT of a chest has, before voxels are read.

    Raises:
        ScanError: a slice, more voxels than memory holds, or lengths that are not in mm.
    """
    shape, spacing = grid.shape_zyx, grid.spacing_zyx_mm
    if min(shape) < MIN_SIZE_VOX:
        raise ScanError(f"{path}: expected at least {MIN_SIZE_VOX} voxels per axis, found {shape} (zyx)")
    if math.prod(shape) > MAX_VOXELS:
        raise ScanError(f"{path}: expected at most {MAX_VOXELS} voxels, found {math.prod(shape)}: {shape} (zyx)")
    low, high = SPACING_MM
    if min(spacing) < low or max(spacing) > high:
        raise ScanError(f"{path}: expected a spacing from {low:g} to {high:g} mm, found {_listed(spacing)} (zyx)")
    extent = [size * step for size, step in zip(shape, spacing, strict=True)]
    low, high = EXTENT_MM
    if min(extent) < low or max(extent) > high:
        raise ScanError(f"{path}: expected {low:g} to {high:g} mm along each axis, found {_listed(extent)} (zyx)")


def check_hu(scan: Scan, path: Path) -> Scan:
    """Return `scan` if its voxels can be HU of a chest; of large scans only every n-th line is checked.

    Raises:
        ScanError: slices without content, no air or no tissue (offset, unsigned or windowed values), or values all
            over the range (another byte order or type).
    """
    # the middle line of nearly every slice answers at once
    blank = [index for index, plane in enumerate(scan.hu) if not plane[len(plane) // 2].any() and not plane.any()]
    if len(blank) > MAX_BLANK_SHARE * len(scan.hu):
        found = f"{len(blank)} of {len(scan.hu)} with nothing but 0, the first at {blank[0]}"
        raise ScanError(f"{path}: expected HU in every slice, found {found}")
    lines = scan.hu.reshape(-1, scan.hu.shape[2])
    # an odd step, since an even step would check the same lines of every slice
    values = lines[:: scan.hu.size // _SAMPLE_VOX | 1]
    low, high = AIR_RANGE_HU
    num_air = np.count_nonzero((values >= low) & (values <= high))
    num_tissue = np.count_nonzero((values > high) & (values <= BRIGHTEST_HU))
    # padding is one value below all others
    num_padding = np.count_nonzero(values == values.min()) if values.min() < low else 0
    num_strange = values.size - num_air - num_tissue - num_padding
    found = f"values from {values.min()} to {values.max()}"
    if num_air < MIN_SHARE * values.size:
        raise ScanError(f"{path}: expected HU with air (voxels from {low} to {high}), found {found}")
    if num_tissue < MIN_SHARE * values.size:
        raise ScanError(f"{path}: expected HU with tissue (voxels from {high + 1} to {BRIGHTEST_HU}), found {found}")
    if num_strange > MAX_STRANGE_SHARE * values.size:
        wanted = f"HU, at most {MAX_STRANGE_SHARE:.0%} of them beyond {low} to {BRIGHTEST_HU}"
        raise ScanError(f"{path}: expected {wanted}, found {num_strange / values.size:.1%} ({found})")
    return scan


def _listed(lengths: Iterable[float]) -> str:
    return ", ".join(f"{length:g}" for length in lengths)
