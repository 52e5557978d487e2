"""Read a CT series from DICOM slices or frames, and refuse everything that is not one regular volume."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.pixels import iter_pixels

from lungpipe.datasets.dicom_frames import FRAME_TAGS, frames_of
from lungpipe.datasets.dicom_geometry import Slice, stack_grid
from lungpipe.datasets.scan import Scan, ScanError, check_hu

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
    "SamplesPerPixel",
    "NumberOfFrames",
    "BitsAllocated",
    "PhotometricInterpretation",
    *FRAME_TAGS,
]
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_INT16 = np.iinfo(np.int16)


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
    hu = np.empty(grid.shape_zyx, dtype=np.int16)
    for path in dict.fromkeys(item.path for item in slices):
        places = {item.frame: index for index, item in enumerate(slices) if item.path == path}
        for index, stored in _read_stored(path, places):
            hu[index] = _to_hu(slices[index], stored)
    return check_hu(Scan(str(slices[0].header.SeriesInstanceUID), hu, grid), folder)


def list_series(folder: Path) -> dict[str, int]:
    """Return the number of DICOM files of every series in a folder."""
    counts: dict[str, int] = {}
    for item in _read_headers(Path(folder)):
        uid = str(item.header.get("SeriesInstanceUID", ""))
        counts[uid] = counts.get(uid, 0) + 1
    return counts


def _read_headers(folder: Path) -> list[Slice]:
    try:
        files = [folder] if folder.is_file() else folder.iterdir()
        paths = sorted(path for path in files if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ScanError(f"{folder}: expected a readable DICOM folder, found {error.strerror}") from None
    slices = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        except InvalidDicomError:
            if path.suffix.lower() in (".dcm", ".ima"):
                raise ScanError(f"{path}: expected a DICOM file, found another content") from None
            continue  # notes, XML readings and the like lie beside the slices
        except (OSError, EOFError, ValueError) as error:
            raise ScanError(f"{path}: expected a readable DICOM file, found {error}") from None
        slices.append(Slice(path, header))
    if not slices:
        raise ScanError(f"{folder}: expected DICOM files, found none among {len(paths)} files")
    return slices


def _choose_series(folder: Path, slices: list[Slice], series_uid: str | None) -> list[Slice]:
    present = {str(item.header.get("SeriesInstanceUID", "")): 0 for item in slices}
    if series_uid is None and len(present) > 1:
        raise ScanError(f"{folder}: expected one series, or a choice among several, found {', '.join(sorted(present))}")
    chosen = series_uid if series_uid is not None else next(iter(present))
    if chosen not in present or not chosen:
        wanted = f"series {chosen}" if chosen else "slices with a SeriesInstanceUID"
        raise ScanError(f"{folder}: expected {wanted}, found {', '.join(sorted(present)) or 'none'}")
    return [item for item in slices if str(item.header.get("SeriesInstanceUID", "")) == chosen]


def _check_slice(item: Slice) -> None:
    header = item.header
    checks = {
        "Modality": (header.get("Modality"), ("CT",)),
        "SamplesPerPixel": (header.get("SamplesPerPixel", 1), (1,)),
        "NumberOfFrames": (int(header.get("NumberOfFrames", 1) or 1), (1,)),
        "PhotometricInterpretation": (header.get("PhotometricInterpretation"), _GRAY),
        "BitsAllocated": (header.get("BitsAllocated"), (8, 16, 32)),
    }
    for key, (found, expected) in checks.items():
        if found not in expected:
            wanted = " or ".join(str(value) for value in expected)
            raise ScanError(f"{item.where}: {key}: expected {wanted}, found {found}")
    required = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
    for key in (*required, "RescaleSlope", "RescaleIntercept"):
        if header.get(key) in (None, ""):
            raise ScanError(f"{item.where}: expected the element {key}, found none")


def _read_stored(path: Path, places: dict[int | None, int]) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield a file's slices as stored, each with its place in the volume; frames come one by one."""
    found = 0
    try:
        if None in places:
            yield places[None], pydicom.dcmread(path).pixel_array
            return
        for frame, stored in enumerate(iter_pixels(path)):
            found += 1
            yield places[frame], stored
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds; the file must be named in each
        raise ScanError(f"{path}: expected decodable pixels, found {error}") from None
    if found != len(places):
        raise ScanError(f"{path}: expected pixels of {len(places)} frames, found {found}")


def _to_hu(item: Slice, stored: NDArray[np.generic]) -> NDArray[np.int16]:
    slope, intercept = float(item.header.RescaleSlope), float(item.header.RescaleIntercept)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise ScanError(f"{item.where}: expected a finite rescale that is not 0, found {slope} and {intercept}")
    values = stored.astype(np.int32)
    # whole numbers stay whole numbers: float only where the slope asks for it
    is_whole = slope.is_integer() and intercept.is_integer()
    hu = values * int(slope) + int(intercept) if is_whole else np.rint(values * slope + intercept)
    low, high = int(hu.min()), int(hu.max())
    if low < _INT16.min or high > _INT16.max:
        raise ScanError(f"{item.where}: expected HU within int16, found {low} to {high}")
    return hu.astype(np.int16)
