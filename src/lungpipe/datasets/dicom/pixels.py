"""Read the pixels of DICOM slices and frames, and turn them into HU."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.dicom.stored import Stored, StoredFormat
from lungpipe.datasets.padding import PADDING_HU, touching_border
from lungpipe.datasets.scan import ScanError
from lungpipe.terms import AIR_HU

_INT16 = np.iinfo(np.int16)
_DEFERRED_BYTES = 1024
"""Larger elements are read at the first access, so that files of many frames are read frame by frame."""

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
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]
"""Elements for decoding; reading all elements of a header would take half of the time."""


def read_stored(path: Path, places: dict[int | None, int]) -> Iterator[tuple[int, Stored]]:
    """Yield a file's slices as stored, each with its index in the volume; frames are read one by one.

    `places` maps the number of a frame, or None for a single-frame file, to that index.

    Raises:
        ScanError: pixels that cannot be decoded, or another number than in the header.
    """
    found = 0
    try:
        data = _read(path, is_single=None in places)
        if "BitsAllocated" not in data:  # pydicom drops the elements of a file that ends within its compressed pixels
            raise ScanError(f"{path}: expected decodable pixels, found the end of the file before theirs")
        is_encapsulated = data.file_meta.TransferSyntaxUID.is_encapsulated
        layout = StoredFormat.of(path, data, is_encapsulated=is_encapsulated)
        for frame, bits in enumerate(_read_bits(path, data, is_encapsulated)):
            found += 1
            place = places.get(None if None in places else frame)
            if place is not None:
                yield place, layout.read(bits)
    except ScanError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds; the file must be named in each
        raise ScanError(f"{path}: expected decodable pixels, found {error}") from None
    if found != len(places):
        raise ScanError(f"{path}: expected pixels of {len(places)} frames, found {found}")


def to_hu(item: Slice, stored: Stored) -> NDArray[np.int16]:
    """Return a stored slice (yx) as int16 HU, its padding as PADDING_HU.

    Padding that is brighter than air is padding where it is connected to the border of the slice: metal or tissue with
    the same value within the body stays.

    Raises:
        ScanError: an invalid rescale, or HU beyond int16.
    """
    slope, intercept = _rescale(item)
    values, is_padding = stored.values, stored.is_padding
    if is_padding is not None:
        if stored.brightest_padding is not None and stored.brightest_padding * slope + intercept > AIR_HU:
            is_padding = touching_border(is_padding)
        if is_padding.all():
            return np.full(values.shape, PADDING_HU, np.int16)
        # any measured value, since padding must not count among the HU
        values = np.where(is_padding, values.flat[int(is_padding.argmin())], values)
    low, high = sorted((int(values.min()) * slope + intercept, int(values.max()) * slope + intercept))
    if round(low) < _INT16.min or round(high) > _INT16.max:
        raise ScanError(f"{item.where}: expected HU within int16, found {round(low)} to {round(high)}")
    hu = _scale(values, slope, intercept)
    if is_padding is not None:
        hu[is_padding] = PADDING_HU
    return hu


def _scale(values: NDArray[Any], slope: float, intercept: float) -> NDArray[np.int16]:
    if slope.is_integer() and intercept.is_integer():
        # computed in integers: the HU fit into 16 bits, so that overflows on the way cancel
        whole = values.astype(np.int16)
        whole *= np.int64(slope).astype(np.int16)
        whole += np.int64(intercept).astype(np.int16)
        return whole
    return np.rint(values * slope + intercept).astype(np.int16)


def _read(path: Path, *, is_single: bool) -> Dataset:
    data = pydicom.dcmread(path, None if is_single else _DEFERRED_BYTES, force=True, specific_tags=_TAGS)
    if "TransferSyntaxUID" not in data.file_meta:
        is_implicit, is_little = data.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    if data.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian and not is_single:
        # elements of a deflated file cannot be read later
        data = pydicom.dcmread(path, specific_tags=_TAGS)
    return data


def _read_bits(path: Path, data: Dataset, is_encapsulated: bool) -> Iterator[NDArray[Any]]:
    """Yield the frames (yx) as unsigned whole numbers, with every stored bit."""
    if "PixelData" not in data:
        raise ScanError(f"{path}: expected decodable pixels, found no element PixelData")
    if is_encapsulated or data.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        data.BitsStored, data.HighBit, data.PixelRepresentation = data.BitsAllocated, data.BitsAllocated - 1, 0
        if is_encapsulated:
            # importing SimpleITK takes half a second, and plain pixels do not need SimpleITK
            from lungpipe.datasets.dicom.encapsulated import decode_frames

            yield from decode_frames(data)
        else:
            for bits in iter_pixels(data, raw=True):
                yield bits.astype(bits.dtype.newbyteorder("="), copy=False)
        return
    sizes = [int(data.get("NumberOfFrames", 1) or 1), int(data.Rows), int(data.Columns)]
    element = data.get_item("PixelData", keep_deferred=True)
    is_deferred = element.value is None
    found = min(element.length, path.stat().st_size - element.value_tell) if is_deferred else len(element.value)
    expected = math.prod(sizes) * int(data.BitsAllocated) // 8
    # elements have an even length
    if not expected <= found <= expected + expected % 2:
        times = " x ".join(str(size) for size in sizes)
        raise ScanError(f"{path}: expected {expected} bytes of pixels ({times}), found {found}")
    kind = np.dtype(f"<u{int(data.BitsAllocated) // 8}")
    if not is_deferred:
        yield from np.frombuffer(element.value, kind, math.prod(sizes)).reshape(sizes)
        return
    with path.open("rb") as stream:
        stream.seek(element.value_tell)
        for _ in range(sizes[0]):
            yield np.fromfile(stream, kind, sizes[1] * sizes[2]).reshape(sizes[1:])


def _rescale(item: Slice) -> tuple[float, float]:
    given = item.header.RescaleSlope, item.header.RescaleIntercept
    try:
        slope, intercept = float(given[0]), float(given[1])
    except (TypeError, ValueError):
        slope, intercept = 0.0, 0.0
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise ScanError(f"{item.where}: expected a finite rescale that is not 0, found {given[0]} and {given[1]}")
    return slope, intercept
