"""A raw CT scan on its native grid, and the one door through which any supported file becomes one."""

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


def read_scan(path: Path, series_uid: str | None = None) -> Scan:
    """Read a scan of any supported format: .mhd, .mha, .nii, .nii.gz, .dcm of many frames, or a folder with a series.

    `series_uid` chooses among several series of a DICOM folder; elsewhere it names the scan.

    Raises:
        ScanError: no such file, an unsupported format, or content that the format's reader refuses.
    """
    # readers are imported where needed: pydicom and SimpleITK cost half a second each
    path = Path(path)
    if is_directory(path) or path.suffix.lower() == ".dcm":
        from lungpipe.datasets.dicom import read_dicom

        return read_dicom(path, series_uid)
    if path.name.endswith((".mhd", ".mha")):
        from lungpipe.datasets.metaimage import read_metaimage

        return read_metaimage(path, series_uid)
    if path.name.endswith((".nii", ".nii.gz")):
        from lungpipe.datasets.nifti import read_nifti

        return read_nifti(path, series_uid)
    raise ScanError(
        f"{path}: expected .mhd, .mha, .nii, .nii.gz, .dcm or a DICOM folder, found {path.suffix or 'no ending'}"
    )


def is_directory(path: Path) -> bool:
    """Tell whether `path` is a folder; raises ScanError where it cannot be looked at or does not exist."""
    try:
        path.stat()
    except OSError as error:
        raise ScanError(f"{path}: expected a readable scan, found {error.strerror}") from None
    return path.is_dir()


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
