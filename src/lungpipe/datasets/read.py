"""Read a scan of any supported format."""

import stat
import zipfile
from pathlib import Path
from pkgutil import resolve_name

from lungpipe.datasets.metaimage_header import HEADER_ENDINGS, VOXELS_ENDINGS
from lungpipe.datasets.scan import Scan, ScanError

DICOM = "lungpipe.datasets.dicom:read_dicom"
METAIMAGE = "lungpipe.datasets.metaimage:read_metaimage"
NIFTI = "lungpipe.datasets.nifti:read_nifti"
ZIPPED = "lungpipe.datasets.zipped:read_zipped"
IS_DICOM = "lungpipe.datasets.dicom.files:is_dicom"
"""The reader of each format by its name, and the test of a file without an ending. A reader is imported when it is
needed (pydicom and SimpleITK cost half a second each), and a job that reads one format alone does not depend on the
code of the others."""

_ADVICE = {
    (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"): "unpack the archive (tar -xf), and name the folder",
    (".7z", ".rar", ".gz", ".bz2", ".xz"): "unpack it, and name what was in it",
    (".nrrd", ".nhdr", ".hdr", ".img", ".gipl", ".vtk"): "SimpleITK converts it: "
    "SimpleITK.WriteImage(SimpleITK.ReadImage(path), 'scan.nii.gz')",
}
"""How to go on with a file of a format that is not read, by its endings."""


def read_scan(path: Path, series_uid: str | None = None) -> Scan:
    """Read a scan of any supported format: .mhd, .mha, .nii, .nii.gz, DICOM of many frames, a folder or a zip archive.

    A folder holds a DICOM series, in subfolders or not; an archive holds such a folder or one file. `series_uid`
    chooses among several series of a DICOM folder; elsewhere it names the scan.

    Raises:
        ScanError: no such file, an unsupported format, or content that the format's reader refuses.
    """
    path = Path(path)
    name = path.name.lower()
    if is_directory(path) or name.endswith(".dcm"):
        return read_with(DICOM, path, series_uid)
    if name.endswith((*HEADER_ENDINGS, *VOXELS_ENDINGS)):
        return read_with(METAIMAGE, path, series_uid)
    if name.endswith((".nii", ".nii.gz")):
        return read_with(NIFTI, path, series_uid)
    if zipfile.is_zipfile(path):
        return read_with(ZIPPED, path, series_uid)
    if resolve_name(IS_DICOM)(path):
        return read_with(DICOM, path, series_uid)
    wanted = ".mhd, .mha, .nii, .nii.gz, .zip, .dcm or a DICOM folder"
    raise ScanError(f"{path}: expected {wanted}, found {path.suffix or 'no ending'}{_advise(name)}")


def _advise(name: str) -> str:
    """Return how to turn a file of a known other format (`name` in lower case) into a readable one; else nothing."""
    advice = next((text for endings, text in _ADVICE.items() if name.endswith(endings)), "")
    return f"; {advice}" if advice else ""


def read_with(reader: str, path: Path, series_uid: str | None = None) -> Scan:
    """Read a scan with the reader of that name; raises ScanError for content that the reader refuses."""
    scan: Scan = resolve_name(reader)(path, series_uid)
    return scan


def is_directory(path: Path) -> bool:
    """Return whether `path` is a folder; raises ScanError if it is neither folder nor file, unreadable or missing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ScanError(f"{path}: expected a readable scan, found {error.strerror}") from None
    # opening a pipe could wait for ever
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise ScanError(f"{path}: expected a file or a folder, found a pipe or a device")
    return stat.S_ISDIR(mode)
