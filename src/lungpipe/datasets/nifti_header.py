"""Strict reading of NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h): one type, one grid in mm, nothing guessed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

_MILLIMETRES = (0, 2)
"""Unit codes for lengths: unknown, which every tool reads as mm, and mm."""
_LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0])
_CODES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


@dataclass(frozen=True, slots=True)
class _Format:
    """A version of NIfTI: length of the header, place and content of its magic, and (byte, type, count) of each field.

    Voxels begin at `first_voxel` in a file without extensions: behind the header and four bytes that say so.
    """

    version: int
    header_bytes: int
    first_voxel: int
    magic_at: int
    magic: bytes
    fields: Mapping[str, tuple[int, str, int]]


_NIFTI_1 = _Format(
    version=1,
    header_bytes=348,
    first_voxel=352,
    magic_at=344,
    magic=b"n+1\0",
    fields={
        "dim": (40, "i2", 8),
        "datatype": (70, "i2", 1),
        "pixdim": (76, "f4", 8),
        "vox_offset": (108, "f4", 1),
        "scl_slope": (112, "f4", 1),
        "scl_inter": (116, "f4", 1),
        "xyzt_units": (123, "u1", 1),
        "qform_code": (252, "i2", 1),
        "sform_code": (254, "i2", 1),
        "quatern": (256, "f4", 3),
        "qoffset": (268, "f4", 3),
        "srow": (280, "f4", 12),
    },
)
_NIFTI_2 = _Format(
    version=2,
    header_bytes=540,
    first_voxel=544,
    magic_at=4,
    magic=b"n+2\0\r\n\x1a\n",
    fields={
        "datatype": (12, "i2", 1),
        "dim": (16, "i8", 8),
        "pixdim": (104, "f8", 8),
        "vox_offset": (168, "i8", 1),
        "scl_slope": (176, "f8", 1),
        "scl_inter": (184, "f8", 1),
        "qform_code": (344, "i4", 1),
        "sform_code": (348, "i4", 1),
        "quatern": (352, "f8", 3),
        "qoffset": (376, "f8", 3),
        "srow": (400, "f8", 12),
        "xyzt_units": (500, "i4", 1),
    },
)
_FORMATS = {
    start: (form, order)
    for form in (_NIFTI_1, _NIFTI_2)
    for start, order in ((form.header_bytes.to_bytes(4, "little"), "<"), (form.header_bytes.to_bytes(4, "big"), ">"))
}
"""Version and byte order by the first four bytes: the header's length."""
HEADER_BYTES = _NIFTI_2.header_bytes
"""Length of the longest header."""


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """A checked header: the grid (LPS), the stored type, the byte where voxels begin, and the rescale to HU."""

    grid: Grid
    dtype: np.dtype[np.generic]
    data_offset: int
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """One of NIfTI's two ways to place a voxel: steps (mm, RAS) in columns, and the first voxel's centre (mm, RAS)."""

    name: str
    axes: NDArray[np.float64]
    origin: NDArray[np.float64]


def parse_header(path: Path, content: bytes) -> NiftiHeader:
    """Check the first HEADER_BYTES bytes of a NIfTI file.

    Raises:
        ScanError: anything that is not one scalar image of three dimensions in mm, with a position in the world.
    """
    fields = _Fields(path, content)
    sizes = _sizes(fields)
    # a .nii file of some writers leaves vox_offset at 0, as only the header of a pair may
    code, start = int(fields.one("datatype")), fields.one("vox_offset") or float(fields.form.first_voxel)
    if code not in _CODES:
        raise ScanError(
            f"{path}: expected NIfTI-{fields.form.version} voxels of a plain number type, found type {code}"
        )
    # a float32 is exact for whole numbers up to 2^24
    end = fields.form.header_bytes
    if not (end <= start < 2**24 and start.is_integer()):
        raise ScanError(f"{path}: vox_offset: expected a byte behind the header ({end}), found {start:g}")
    units = int(fields.one("xyzt_units")) & 7
    if units not in _MILLIMETRES:
        raise ScanError(f"{path}: xyzt_units: expected lengths in mm (2), found {units}")
    slope, intercept = fields.one("scl_slope"), fields.one("scl_inter")
    # 0, and NaN from nibabel, mean no rescale
    is_scaled = np.isfinite(slope) and slope != 0
    if is_scaled and not np.isfinite(intercept):
        raise ScanError(f"{path}: scl_inter: expected a finite number, found {intercept:g}")
    dtype = np.dtype(f"{fields.order}{_CODES[code]}")
    return NiftiHeader(
        _read_grid(fields, sizes), dtype, int(start), slope if is_scaled else 1.0, intercept if is_scaled else 0.0
    )


class _Fields:
    """The header's numbers, in the byte order that its first field shows."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self._content = path, content
        self.form, self.order = _FORMATS.get(content[:4], (_NIFTI_1, ""))
        form = self.form
        if len(content) < form.header_bytes or not self.order:
            size = f"{form.header_bytes} bytes" if self.order else "348 bytes (or 540: NIfTI-2)"
            found = f"{len(content)} bytes that begin with {content[:4]!r}"
            raise ScanError(f"{path}: expected a NIfTI-{form.version} header of {size}, found {found}")
        magic = content[form.magic_at : form.magic_at + len(form.magic)]
        if magic != form.magic:
            raise ScanError(f"{path}: expected a NIfTI-{form.version} file (magic {form.magic!r}), found {magic!r}")

    def read(self, name: str) -> NDArray[np.float64]:
        offset, kind, count = self.form.fields[name]
        return np.frombuffer(self._content, f"{self.order}{kind}", count, offset).astype(np.float64)

    def one(self, name: str) -> float:
        return float(self.read(name)[0])


def _sizes(fields: _Fields) -> list[int]:
    num_dimensions, *sizes = (int(size) for size in fields.read("dim"))
    given = sizes[: max(num_dimensions, 0)]
    # a last dimension of one time point is dropped; some writers count none as 0
    while len(given) > 3 and given[-1] in (0, 1):
        given.pop()
    if not 1 <= num_dimensions <= 7 or len(given) != 3 or min(given) < 1:
        raise ScanError(f"{fields.path}: expected a NIfTI image of three dimensions, found {given}")
    return given


def _read_grid(fields: _Fields, sizes: list[int]) -> Grid:
    """Return the grid that qform and sform, whichever are given, agree on."""
    path, spacing = fields.path, fields.read("pixdim")[1:4]
    if not np.all(np.isfinite(spacing)) or spacing.min() <= 0:
        raise ScanError(f"{path}: pixdim: expected three positive lengths in mm, found {spacing.tolist()}")
    forms = [form for form in (_qform(fields), _sform(fields)) if form is not None]
    if not forms:
        raise ScanError(f"{path}: expected a qform or an sform, found neither")
    grids = [_form_grid(path, form, sizes, spacing) for form in forms]
    ends = [(0, 0, 0), *np.diag(grids[0].shape_zyx)]
    apart = float(np.abs(grids[0].to_world(ends) - grids[-1].to_world(ends)).max())
    if apart > spacing.min() / 2:
        raise ScanError(f"{path}: expected qform and sform to agree, found them {apart:.2f} mm apart")
    return grids[0]


def _qform(fields: _Fields) -> _Form | None:
    if fields.one("qform_code") <= 0:
        return None
    b, c, d = fields.read("quatern")
    rest = 1.0 - (b * b + c * c + d * d)
    # NaN is not a rotation either
    if not rest > -1e-3:
        raise ScanError(f"{fields.path}: qform: expected a rotation, found the quaternion {b:g}, {c:g}, {d:g}")
    a = np.sqrt(max(rest, 0.0))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    pixdim = fields.read("pixdim")[:4]
    mirror = np.array([1.0, 1.0, -1.0 if pixdim[0] < 0 else 1.0])
    return _Form("qform", rotation * mirror * pixdim[1:], fields.read("qoffset"))


def _sform(fields: _Fields) -> _Form | None:
    if fields.one("sform_code") <= 0:
        return None
    rows = fields.read("srow").reshape(3, 4)
    return _Form("sform", rows[:, :3], rows[:, 3])


def _form_grid(path: Path, form: _Form, sizes: list[int], spacing: NDArray[np.float64]) -> Grid:
    lengths = np.linalg.norm(form.axes, axis=0)
    if not np.allclose(lengths, spacing, rtol=1e-3, atol=0):
        found = f"{lengths.tolist()} and {spacing.tolist()}"
        raise ScanError(f"{path}: {form.name}: expected steps as long as pixdim says, found {found}")
    direction = _LPS_OF_RAS @ (form.axes / lengths)
    try:
        return Grid.from_xyz(sizes, spacing.tolist(), (_LPS_OF_RAS @ form.origin).tolist(), direction.ravel().tolist())
    except ValueError as error:
        raise ScanError(f"{path}: {form.name}: {error}") from None
