"""The one door through which any supported file becomes a scan."""

from pathlib import Path

from lungpipe.datasets.scan import Scan, ScanError


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
