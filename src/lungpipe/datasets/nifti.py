"""Read NIfTI-1 scans (.nii, .nii.gz): geometry through SimpleITK, which turns RAS into LPS; voxels strictly here."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lungpipe.datasets.scan import Scan, ScanError, check_hu
from lungpipe.geometry import Grid

_HEADER_BYTES = 348
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_INT16 = np.iinfo(np.int16)


def read_nifti(path: Path, series_uid: str | None = None) -> Scan:
    """Read a NIfTI scan: HU of any stored type, rescaled and rounded to int16 (zyx); the file's name is the series UID.

    The voxels are read here and not by SimpleITK, which turns NaN and what a truncated file lacks into 0 HU.

    Raises:
        ScanError: an unreadable file, an image that is not three-dimensional and scalar, values that are not HU.
    """
    grid = _read_grid(path)
    values = _read_values(path, grid)
    if not np.all(np.isfinite(values)) or values.min() < _INT16.min or values.max() > _INT16.max:
        raise ScanError(f"{path}: expected finite HU within int16, found values outside")
    hu = np.rint(values).astype(np.int16) if values.dtype.kind == "f" else values.astype(np.int16)
    uid = series_uid or path.name.removesuffix(".gz").removesuffix(".nii")
    return check_hu(Scan(uid, hu, grid), path)


def _read_grid(path: Path) -> Grid:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
            found = f"{reader.GetDimension()} dimensions and {reader.GetNumberOfComponents()} components"
            raise ScanError(f"{path}: expected a scalar image of three dimensions, found {found}")
        return Grid.from_xyz(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection())
    except ScanError:
        raise
    except (RuntimeError, ValueError) as error:
        raise ScanError(f"{path}: expected a NIfTI image, found {str(error).strip().splitlines()[-1]}") from None


def _read_values(path: Path, grid: Grid) -> NDArray[np.generic]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ScanError(f"{path}: expected a whole NIfTI image, found {error}") from None
    order = next((mark for mark in "<>" if _field(content, 0, f"{mark}i4") == _HEADER_BYTES), None)
    code = _field(content, 70, f"{order}i2") if order else None
    if order is None or code not in _DTYPES:
        raise ScanError(f"{path}: expected NIfTI-1 voxels of a plain number type, found type {code}")
    dtype = np.dtype(f"{order}{_DTYPES[int(code)]}")
    start = int(_field(content, 108, f"{order}f4"))
    expected = int(np.prod(grid.shape_zyx)) * dtype.itemsize
    if start < _HEADER_BYTES or len(content) - start != expected:
        raise ScanError(f"{path}: expected a whole NIfTI image with {expected} bytes, found {len(content) - start}")
    voxels = np.frombuffer(content, dtype, offset=start).reshape(grid.shape_zyx)
    slope, intercept = (float(_field(content, at, f"{order}f4")) for at in (112, 116))
    is_scaled = np.isfinite(slope) and slope != 0 and (slope, intercept) != (1.0, 0.0)
    return voxels * slope + intercept if is_scaled else voxels


def _field(content: bytes, offset: int, dtype: str) -> float:
    if len(content) < _HEADER_BYTES:
        return 0.0
    return float(np.frombuffer(content, dtype, count=1, offset=offset)[0])
