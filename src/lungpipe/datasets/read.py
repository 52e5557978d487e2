"""The one door through which any supported file becomes a scan."""

import stat
from pathlib import Path

from lungpipe.datasets.metaimage_header import HEADER_ENDINGS, VOXELS_ENDINGS
from lungpipe.datasets.scan import Scan, ScanError


def read_scan(path: Path, series_uid: str | None = None) -> Scan:
    """Read a scan of any supported format: .mhd, .mha, .nii, .nii.gz, .dcm of many frames, or a folder with a series.

    `series_uid` chooses among several series of a DICOM folder; elsewhere it names the scan.

    Raises:
        ScanError: no such file, an unsupported format, or content that the format's reader refuses.
    """
    # readers are imported where needed: pydicom and SimpleITK cost half a second each
    path = Path(path)
    name = path.name.lower()
    if is_directory(path) or name.endswith(".dcm"):
        from lungpipe.datasets.dicom import read_dicom

        return read_dicom(path, series_uid)
    if name.endswith((*HEADER_ENDINGS, *VOXELS_ENDINGS)):
        from lungpipe.datasets.metaimage import read_metaimage

        return read_metaimage(path, series_uid)
    if name.endswith((".nii", ".nii.gz")):
        from lungpipe.datasets.nifti import read_nifti

        return read_nifti(path, series_uid)
    raise ScanError(
        f"{path}: expected .mhd, .mha, .nii, .nii.gz, .dcm or a DICOM folder, found {path.suffix or 'no ending'}"
    )


def is_directory(path: Path) -> bool:
    """Tell a folder from a file; raises ScanError where `path` is neither, cannot be looked at or does not exist."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ScanError(f"{path}: expected a readable scan, found {error.strerror}") from None
    # opening a pipe would wait for ever
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise ScanError(f"{path}: expected a file or a folder, found a pipe or a device")
    return stat.S_ISDIR(mode)
