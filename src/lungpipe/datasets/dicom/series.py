"""Read a CT series from DICOM slices or frames, and refuse everything that is not one regular volume."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from lungpipe.datasets.dicom.frames import FRAME_TAGS, frames_of
from lungpipe.datasets.dicom.geometry import Slice, stack_grid
from lungpipe.datasets.dicom.pixels import read_stored, to_hu
from lungpipe.datasets.scan import Scan, ScanError, check_grid, check_hu

_TAGS = [
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "SamplesPerPixel",
    "NumberOfFrames",
    "BitsAllocated",
    "PhotometricInterpretation",
    *FRAME_TAGS,
]
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_HU_TYPES = ("HU", "HU_MOD", "")


def read_dicom(folder: Path, series_uid: str | None = None) -> Scan:
    """Read one CT series: slices sorted along their normal, rescaled to int16 HU (zyx), with the full grid.

    `folder` holds a file per slice, or files of many frames (Enhanced CT); it may be such a file itself.

    MONOCHROME1 differs from MONOCHROME2 in display only, so that both hold the same HU.

    Raises:
        ScanError: no or several series, a slice that is no CT or differs in grid, gaps, duplicates, gantry tilt.
    """
    folder = Path(folder)
    slices = _choose_series(folder, _read_headers(folder), series_uid)
    slices = [frame for item in slices for frame in frames_of(item)]
    for item in slices:
        _check_slice(item)
    slices, grid = stack_grid(folder, slices)
    check_grid(grid, folder)
    hu = np.empty(grid.shape_zyx, dtype=np.int16)
    places: dict[Path, dict[int | None, int]] = {}
    for index, item in enumerate(slices):
        places.setdefault(item.path, {})[item.frame] = index
    for path, frames in places.items():
        for index, stored in read_stored(path, frames):
            hu[index] = to_hu(slices[index], stored)
    return check_hu(Scan(str(slices[0].header.SeriesInstanceUID), hu, grid), folder)


def list_series(folder: Path) -> dict[str, int]:
    """Return the number of DICOM files of every series in a folder."""
    counts: dict[str, int] = {}
    for item in _read_headers(Path(folder)):
        uid = str(item.header.SeriesInstanceUID)
        counts[uid] = counts.get(uid, 0) + 1
    return counts


def _read_headers(folder: Path) -> list[Slice]:
    try:
        files = [folder] if folder.is_file() else folder.iterdir()
        paths = sorted(path for path in files if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ScanError(f"{folder}: expected a readable DICOM folder, found {error.strerror}") from None
    headers = {path: _read_header(path) for path in paths}
    slices = [Slice(path, header) for path, header in headers.items() if header is not None and not _is_index(header)]
    # notes, XML readings and the like lie beside the slices; what is named as a slice is one, or was
    endings = {".dcm", ".ima", *(_ending(item.path) for item in slices)}
    for path, header in headers.items():
        if header is None and _ending(path) in endings:
            raise ScanError(f"{path}: expected a DICOM file, found another content")
    if not slices:
        raise ScanError(f"{folder}: expected DICOM files, found none among {len(paths)} files")
    for item in slices:
        if not item.header.get("SeriesInstanceUID"):
            raise ScanError(f"{item.where}: expected the element SeriesInstanceUID, found none")
    return slices


def _read_header(path: Path) -> Dataset | None:
    """Return the elements that place and scale a slice, each converted; None for a file that is no DICOM."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        # values are converted when they are first looked at: looked at here, the error can name the file
        for element in header.iterall():
            element.value  # noqa: B018
        int(header.get("NumberOfFrames") or 1)
    except InvalidDicomError:
        return None
    except Exception as error:  # noqa: BLE001 - a damaged file raises many kinds; it must be named in each
        raise ScanError(f"{path}: expected a readable DICOM file, found {error}") from None
    return header


def _is_index(header: Dataset) -> bool:
    """Tell whether a file lists other files (DICOMDIR)."""
    return header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage


def _ending(path: Path) -> str:
    """Return the ending, none for a number (1.2.840.7 and 1.2.840.8 end alike)."""
    return "" if path.suffix[1:].isdigit() else path.suffix.lower()


def _choose_series(folder: Path, slices: list[Slice], series_uid: str | None) -> list[Slice]:
    present = {str(item.header.SeriesInstanceUID) for item in slices}
    if series_uid is None and len(present) > 1:
        raise ScanError(f"{folder}: expected one series, or a choice among several, found {', '.join(sorted(present))}")
    chosen = series_uid if series_uid is not None else next(iter(present))
    if chosen not in present:
        raise ScanError(f"{folder}: expected series {chosen}, found {', '.join(sorted(present))}")
    return [item for item in slices if str(item.header.SeriesInstanceUID) == chosen]


def _check_slice(item: Slice) -> None:
    header = item.header
    checks = {
        "Modality": (header.get("Modality"), ("CT",)),
        "SamplesPerPixel": (header.get("SamplesPerPixel", 1), (1,)),
        "NumberOfFrames": (int(header.get("NumberOfFrames", 1) or 1), (1,)),
        "PhotometricInterpretation": (header.get("PhotometricInterpretation"), _GRAY),
        "BitsAllocated": (header.get("BitsAllocated"), (8, 16, 32)),
        "RescaleType": (header.get("RescaleType") or "", _HU_TYPES),
    }
    for key, (found, expected) in checks.items():
        if found not in expected:
            wanted = " or ".join(str(value) for value in expected if value != "")
            raise ScanError(f"{item.where}: {key}: expected {wanted}, found {found}")
    required = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
    for key in (*required, "RescaleSlope", "RescaleIntercept"):
        if header.get(key) in (None, ""):
            raise ScanError(f"{item.where}: expected the element {key}, found none")
