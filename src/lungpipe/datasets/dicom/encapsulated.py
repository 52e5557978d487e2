"""Decode compressed pixels to the stored bits: the JPEG family by SimpleITK's GDCM, RLE by pydicom."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from io import BytesIO
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_fragments, generate_frames, parse_basic_offsets
from pydicom.pixels import iter_pixels
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage as WordImage
from pydicom.uid import RLELossless

_START_OF_JPEG = b"\xff\xd8"
"""The marker that begins a stream of JPEG and JPEG-LS; any other stream is JPEG 2000."""
_SIZES_OF_JPEG2000 = b"\xff\x4f\xff\x51"
"""The two markers that begin a stream of JPEG 2000; its sizes follow. Pixels in JPEG-LS may hold these bytes, too."""
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers in front of the sizes in JPEG and JPEG-LS (ITU-T T.81 B.1.1.3, T.87 C.1.1)."""
_SCAN_MARKER = 0xDA


def decode_frames(data: Dataset) -> Iterator[NDArray[Any]]:
    """Yield every frame (yx) of an encapsulated dataset, in order, as whole numbers of BitsAllocated bits.

    `data` must state that all of these bits are used, unsigned.

    Raises:
        Exception: of many kinds, where the pixels cannot be decoded.
    """
    if data.file_meta.TransferSyntaxUID == RLELossless:
        yield from iter_pixels(data, raw=True)
        return
    num_frames = int(data.get("NumberOfFrames", 1) or 1)
    shape = int(data.Rows), int(data.Columns)
    decode = partial(_decode, (str(data.file_meta.TransferSyntaxUID), shape, int(data.BitsAllocated)))
    if num_frames == 1:
        # all fragments, whatever a wrong table of offsets says about frames
        stream = BytesIO(data.PixelData)
        parse_basic_offsets(stream)
        yield decode(b"".join(generate_fragments(stream)))
        return
    frames = generate_frames(data.PixelData, number_of_frames=num_frames)
    with ThreadPoolExecutor(count_threads()) as pool:  # SimpleITK releases the interpreter's lock
        yield from pool.map(decode, frames)


def count_threads() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _decode(layout: tuple[str, tuple[int, int], int], frame: bytes) -> NDArray[Any]:
    """Decode one frame through a file, since SimpleITK reads files only; `layout` is that of `_file_around`."""
    _, shape, bits = layout
    found = stream_shape(frame)
    # GDCM would take memory and time for whatever size a damaged stream states
    if found is not None and found != shape:
        raise ValueError(f"a compressed stream of {found} pixels (yx) where {shape} are expected")
    before, behind = _file_around(*layout)
    with NamedTemporaryFile(prefix="lungpipe-", suffix=".dcm") as file:
        file.write(before + len(frame).to_bytes(4, "little") + frame + behind)
        file.flush()
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(file.name)
        values = SimpleITK.GetArrayFromImage(reader.Execute())
    # one frame is a volume of one slice; a stream of 8 bits a pixel gives bytes, whatever the file allocates
    unsigned = values.reshape(shape).view(np.dtype(f"u{values.dtype.itemsize}"))
    return unsigned.astype(np.dtype(f"u{bits // 8}"), copy=False)


def stream_shape(stream: bytes) -> tuple[int, int] | None:
    """Return rows and columns that a stream of the JPEG family states for itself; None if it states none."""
    if not stream.startswith(_START_OF_JPEG):
        start = stream.find(_SIZES_OF_JPEG2000)
        if start < 0:
            return None
        x, y, left, top = (int.from_bytes(stream[start + k : start + k + 4]) for k in (8, 12, 16, 20))
        return y - top, x - left
    place = len(_START_OF_JPEG)
    while place + 9 <= len(stream) and stream[place] == 0xFF and stream[place + 1] != _SCAN_MARKER:
        if stream[place + 1] in _FRAME_MARKERS:
            return int.from_bytes(stream[place + 5 : place + 7]), int.from_bytes(stream[place + 7 : place + 9])
        # bytes 0xFF may fill the space before a marker; other segments state their length
        is_filled = stream[place + 1] == 0xFF
        place += 1 if is_filled else 2 + int.from_bytes(stream[place + 2 : place + 4])
    return None


@lru_cache
def _file_around(syntax: str, shape: tuple[int, int], bits: int) -> tuple[bytes, bytes]:
    """Return the bytes of a DICOM file before the length of its one compressed frame, and those behind the frame.

    The file has no rescale, no sign and no unused bits, so that GDCM returns every stored bit. Written anew for
    each frame, a file's elements would take a tenth of the time of decoding.
    """
    single = Dataset()
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = syntax
    single.SOPClassUID, single.SOPInstanceUID = WordImage, "1.2.3"
    single.file_meta.MediaStorageSOPClassUID, single.file_meta.MediaStorageSOPInstanceUID = WordImage, "1.2.3"
    (single.Rows, single.Columns), single.NumberOfFrames = shape, 1
    single.BitsAllocated = single.BitsStored = bits
    single.HighBit, single.PixelRepresentation = bits - 1, 0
    single.SamplesPerPixel, single.PhotometricInterpretation = 1, "MONOCHROME2"
    mark = b"frame"  # of odd length: a byte 0 is added
    single.PixelData = encapsulate([mark])
    single["PixelData"].is_undefined_length = True
    with BytesIO() as stream:
        single.save_as(stream, enforce_file_format=True)
        before, _, behind = stream.getvalue().rpartition(mark + b"\0")
    return before[:-4], behind
