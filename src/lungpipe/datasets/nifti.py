"""Read NIfTI-1 and NIfTI-2 scans (.nii, .nii.gz), as strictly as MetaImage."""

import gzip
import re
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.nifti_header import HEADER_BYTES, parse_header
from lungpipe.datasets.padding import accept_scan, whole_hu
from lungpipe.datasets.scan import Scan, ScanError, check_grid

_BLOCK_BYTES = 1 << 24
_GZIP_MAGIC = b"\x1f\x8b"


def read_nifti(path: Path, series_uid: str | None = None) -> Scan:
    """Read a NIfTI scan: HU of any stored type, rescaled and rounded to int16 (zyx); the file's name is the series UID.

    SimpleITK is not used, since it turns NaN and missing voxels into 0 HU, and accepts files without a position in the
    world. A file named .nii may be compressed by gzip.

    Raises:
        ScanError: an unreadable file, an image that is not three-dimensional and scalar, values that are not HU.
    """
    path = Path(path)
    try:
        with _open(path) as stream:
            header = parse_header(path, stream.read(HEADER_BYTES))
            check_grid(header.grid, path)
            stream.seek(header.data_offset)
            expected = int(np.prod(header.grid.shape_zyx)) * header.dtype.itemsize
            # one byte more than expected, so that a longer file is found without inflating everything
            content = _read(stream, expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ScanError(f"{path}: expected a whole NIfTI image, found {error}") from None
    if len(content) != expected:
        found = f"{min(len(content), expected)}{'+' if len(content) > expected else ''}"
        raise ScanError(f"{path}: expected a whole NIfTI image with {expected} bytes of voxels, found {found}")
    voxels = np.frombuffer(content, header.dtype).reshape(header.grid.shape_zyx)
    hu = whole_hu(_rescaled(voxels, header.slope, header.intercept), path)
    uid = series_uid or re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    return accept_scan(Scan(uid, hu, header.grid), path)


def _read(stream: IO[bytes], num_bytes: int) -> bytearray:
    """Read up to so many bytes; in blocks, since a single read would take the memory before it finds the file short."""
    content = bytearray()
    while block := stream.read(min(num_bytes - len(content), _BLOCK_BYTES)):
        content += block
    return content


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        is_packed = path.name.lower().endswith(".gz") or stream.read(2) == _GZIP_MAGIC
    return gzip.open(path) if is_packed else path.open("rb")  # type: ignore[return-value]


def _rescaled(voxels: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    return voxels if (slope, intercept) == (1.0, 0.0) else voxels * slope + intercept
