"""The pixels of DICOM slices and frames, and what they are in HU."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from lungpipe.datasets.dicom.geometry import Slice
from lungpipe.datasets.scan import ScanError

_INT16 = np.iinfo(np.int16)
_DEFERRED_BYTES = 1024
"""Larger elements are read when they are looked at: files of many frames are read frame by frame."""


_TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]
"""What decoding looks at: a header has a hundred elements more, and reading all of them takes half of the time."""


def read_stored(path: Path, places: dict[int | None, int]) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield a file's slices as stored, each with its place in the volume; frames come one by one.

    Raises:
        ScanError: pixels that cannot be decoded, or more or fewer than the header says.
    """
    found = 0
    try:
        data = pydicom.dcmread(path, defer_size=_DEFERRED_BYTES, specific_tags=_TAGS)
        _check_length(path, data)
        if None in places:
            yield places[None], data.pixel_array
            return
        for frame, stored in enumerate(iter_pixels(path)):
            found += 1
            if frame in places:
                yield places[frame], stored
    except ScanError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds; the file must be named in each
        raise ScanError(f"{path}: expected decodable pixels, found {error}") from None
    if found != len(places):
        raise ScanError(f"{path}: expected pixels of {len(places)} frames, found {found}")


def to_hu(item: Slice, stored: NDArray[np.generic]) -> NDArray[np.int16]:
    """Return stored values (yx) as int16 HU; raises ScanError for a rescale that is none, or HU beyond int16."""
    slope, intercept = _rescale(item)
    values = stored.astype(np.int32)
    # whole numbers stay whole numbers: float only where the slope asks for it
    is_whole = slope.is_integer() and intercept.is_integer()
    hu = values * int(slope) + int(intercept) if is_whole else np.rint(values * slope + intercept)
    low, high = int(hu.min()), int(hu.max())
    if low < _INT16.min or high > _INT16.max:
        raise ScanError(f"{item.where}: expected HU within int16, found {low} to {high}")
    return hu.astype(np.int16)


def _check_length(path: Path, data: Dataset) -> None:
    """Refuse plain pixels that are more than Rows and Columns say, which pydicom drops or takes for frames."""
    if data.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in data:
        return
    sizes = [int(data.get("NumberOfFrames", 1) or 1), int(data.Rows), int(data.Columns)]
    expected = math.prod(sizes) * int(data.BitsAllocated) // 8
    found = data.get_item("PixelData", keep_deferred=True).length
    # elements have an even length
    if found > expected + expected % 2:
        raise ScanError(f"{path}: expected {expected} bytes of pixels ({_times(sizes)}), found {found}")


def _times(sizes: list[int]) -> str:
    return " x ".join(str(size) for size in sizes)


def _rescale(item: Slice) -> tuple[float, float]:
    given = item.header.RescaleSlope, item.header.RescaleIntercept
    try:
        slope, intercept = float(given[0]), float(given[1])
    except (TypeError, ValueError):
        slope, intercept = 0.0, 0.0
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise ScanError(f"{item.where}: expected a finite rescale that is not 0, found {given[0]} and {given[1]}")
    return slope, intercept
