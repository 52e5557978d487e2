"""Refuse deflated DICOM files that inflate to more than their header promises: pydicom inflates a file whole."""

import io
import math
import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lungpipe.datasets.scan import MAX_VOXELS, ScanError

_LENGTH_AT = 140
"""Where a file with a preamble states the length of its meta information (PS3.10, element 0002,0000)."""
_META_BYTES = 4096
"""Bytes of a file's beginning in which its transfer syntax is looked for."""
_BLOCK_BYTES = 1 << 20
SURPLUS_BYTES = 1 << 24
"""Bytes that a header, overlays and private elements may take beside the pixels."""


def refuse_inflated(path: Path, stream: BinaryIO) -> None:
    """Raise ScanError if a deflated file holds more than the pixels of its header; other files pass.

    The bytes are counted, not kept. `stream` is the opened file; its position is changed.
    """
    stream.seek(0)
    start = stream.read(_META_BYTES)
    if DeflatedExplicitVRLittleEndian.encode() not in start:
        return
    stream.seek(_LENGTH_AT + 4 + int.from_bytes(start[_LENGTH_AT : _LENGTH_AT + 4], "little"))
    inflater, num_bytes, head = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
    limit = SURPLUS_BYTES
    try:
        while not inflater.eof and (packed := inflater.unconsumed_tail or stream.read(_BLOCK_BYTES)):
            block = inflater.decompress(packed, _BLOCK_BYTES)
            if not num_bytes:
                head = block
                limit = SURPLUS_BYTES + _pixel_bytes(head)
            num_bytes += len(block)
            if num_bytes > limit:
                raise ScanError(f"{path}: expected at most {limit} bytes behind the compression, found more")
    except zlib.error as error:
        raise ScanError(f"{path}: expected a deflated DICOM file, found {error}") from None


def _pixel_bytes(head: bytes) -> int:
    """Return the bytes of the pixels that a dataset's beginning promises; 0 where it promises none."""
    header = read_dataset(io.BytesIO(head), is_implicit_VR=False, is_little_endian=True, stop_when=_is_behind)
    sizes = (header.get(key) or 0 for key in ("Rows", "Columns", "BitsAllocated"))
    frames, samples = (int(header.get(key) or 1) for key in ("NumberOfFrames", "SamplesPerPixel"))
    return min(math.prod(map(int, sizes)) // 8 * frames * samples, 8 * MAX_VOXELS)


def _is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > 0x0028FFFF
