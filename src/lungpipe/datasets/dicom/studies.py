"""The study that a folder of DICOM files belongs to, from one of its files."""

from collections.abc import Iterator
from pathlib import Path

import pydicom

from lungpipe.datasets.dicom.files import is_dicom
from lungpipe.datasets.hidden import is_hidden
from lungpipe.datasets.scan import ScanError


def study_of(folder: Path) -> str | None:
    """Return the study instance UID of the first DICOM file in a folder or its subfolders; None without such a file.

    A file whose study cannot be read counts as a study of its own, so that the folder's reader reports the error.
    """
    for path in _files(folder):
        try:
            if not is_dicom(path):
                continue
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["StudyInstanceUID"])
            found = header.get("StudyInstanceUID")
        except Exception:  # noqa: BLE001 - a damaged file raises many kinds; its reader names the file
            found = None
        return str(found or path)
    return None


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ScanError(f"{folder}: expected a readable folder, found {error.strerror}") from None
    shown = [path for path in entries if not is_hidden(path.name)]
    yield from (path for path in shown if path.is_file())
    for path in shown:
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
