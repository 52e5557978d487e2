"""Read LUNA16's MetaImage files (.mhd with .raw or .zraw, .mha): scans, and the voxels of any image."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.metaimage_header import DTYPES, Header, read_header
from lungpipe.datasets.padding import accept_scan, whole_hu
from lungpipe.datasets.scan import Scan, ScanError, check_grid

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
"""Window bits with which zlib reads both kinds of stream."""


def read_metaimage(path: Path, series_uid: str | None = None) -> Scan:
    """Read a MetaImage scan: int16 HU (zyx) and the full grid; the file's name is the series UID unless one is given.

    Voxels of the signed types (MET_SHORT, MET_INT, MET_FLOAT, MET_DOUBLE) are HU, fractions of HU are rounded; unsigned
    types are refused, since their offset is unknown.

    Raises:
        ScanError: a header or data file that breaks the format, or values that cannot be HU.
    """
    header = read_header(Path(path))
    check_grid(header.grid, header.path)
    uid = series_uid or header.path.name[: -len(header.path.suffix)]
    voxels = read_voxels(header)
    hu = voxels if voxels.dtype == np.int16 else whole_hu(voxels, header.path)
    return accept_scan(Scan(uid, hu, header.grid, header.remarks), header.path)


def read_voxels(header: Header) -> NDArray[Any]:
    """Read an image's voxels (zyx, of the header's type) into an own, writable buffer.

    SimpleITK is not used, since it fills missing voxels of truncated or damaged files.

    Raises:
        ScanError: a data file that cannot be read, or has another size than in the header.
    """
    try:
        voxels = _inflate(header) if header.is_compressed else _read_raw(header)
    except OSError as error:
        raise ScanError(f"{header.data_path}: expected readable voxels, found {error.strerror}") from None
    if header.is_big_endian:
        voxels = voxels.byteswap()
    return voxels.reshape(header.grid.shape_zyx)


def _read_raw(header: Header) -> NDArray[Any]:
    count = int(np.prod(header.grid.shape_zyx))
    voxels = np.fromfile(header.data_path, dtype=DTYPES[header.element_type], count=count, offset=header.data_offset)
    if voxels.size != count:
        raise ScanError(f"{header.data_path}: expected {count} voxels, found {voxels.size}")
    return voxels


def _inflate(header: Header) -> NDArray[Any]:
    expected = header.num_bytes
    with header.data_path.open("rb") as stream:
        stream.seek(header.data_offset)
        packed = stream.read()
    inflater = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        content = inflater.decompress(packed, expected)
        surplus = b"" if inflater.eof else inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise ScanError(f"{header.data_path}: expected zlib-compressed voxels, found {error}") from None
    if len(content) != expected or surplus or not inflater.eof or inflater.unused_data:
        found = f"{len(content)}{'+' if surplus else ''} bytes{'' if inflater.eof else ' and no end of stream'}"
        if inflater.unused_data:
            found += f" and {len(inflater.unused_data)} behind the stream"
        raise ScanError(f"{header.data_path}: expected {expected} bytes behind the compression, found {found}")
    # bytearray: a new, writable buffer, as from other readers
    return np.frombuffer(bytearray(content), dtype=DTYPES[header.element_type])
