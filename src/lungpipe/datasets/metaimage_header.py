"""Strict reading of MetaImage headers: nothing is guessed, and no file outside the header's folder is opened."""

import os
import re
import stat
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungpipe.datasets.metaimage_dimensions import drop_last_dimension
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

MAX_HEADER_BYTES = 1 << 24
"""Programs copy whole DICOM headers into a MetaImage header; a longer text is not a header."""
MAX_LINE_BYTES = 1 << 20
HEADER_ENDINGS = (".mhd", ".mha")
VOXELS_ENDINGS = (".raw", ".zraw")
_ORIGIN_KEYS = ("Offset", "Position", "Origin")
_DIRECTION_KEYS = ("TransformMatrix", "Rotation", "Orientation")
_BYTE_ORDER_KEYS = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_RESCALE_KEYS = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
_LOCAL = "LOCAL"
DTYPES = {
    "MET_SHORT": "<i2",
    "MET_USHORT": "<u2",
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_INT": "<i4",
    "MET_LONG": "<i4",
    "MET_LONG_LONG": "<i8",
    "MET_FLOAT": "<f4",
    "MET_DOUBLE": "<f8",
}
"""NumPy dtype of each readable voxel type, little-endian; MetaImage's MET_LONG has four bytes on every machine."""
HU_TYPES = frozenset({"MET_SHORT", "MET_INT", "MET_LONG", "MET_LONG_LONG", "MET_FLOAT", "MET_DOUBLE"})
LABEL_TYPES = frozenset({"MET_SHORT", "MET_USHORT", "MET_CHAR", "MET_UCHAR"})
_SPACING_KEYS = ("ElementSpacing", "ElementSize")
"""The distance of voxels; the voxel size is used if the distance is missing."""
_NEEDED = frozenset(
    {
        "ObjectType",
        "NDims",
        "DimSize",
        "ElementType",
        "ElementNumberOfChannels",
        "BinaryData",
        "Modality",
        "DistanceUnits",
        "CompressedData",
        "CompressedDataSize",
        "HeaderSize",
        "ElementDataFile",
        *_SPACING_KEYS,
        *_ORIGIN_KEYS,
        *_DIRECTION_KEYS,
        *_BYTE_ORDER_KEYS,
        *_RESCALE_KEYS,
    }
)
"""Fields that are read; of other fields only the names are kept."""
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_MAX_NAMED = 12
"""Fields that a message names."""


@dataclass(frozen=True, slots=True)
class Header:
    """A checked MetaImage header: the grid, and the position and format of the voxels."""

    path: Path
    grid: Grid
    data_path: Path
    data_offset: int
    element_type: str
    is_compressed: bool
    is_big_endian: bool
    remarks: tuple[str, ...] = ()

    @property
    def num_bytes(self) -> int:
        """Bytes of all voxels, not compressed."""
        return int(np.prod(self.grid.shape_zyx)) * np.dtype(DTYPES[self.element_type]).itemsize


def read_header(path: Path, element_types: Set[str] = HU_TYPES) -> Header:
    """Read and check the header of a .mhd or .mha file.

    Raises:
        ScanError: anything that is not a three-dimensional image of one of `element_types` (keys of DTYPES) whose
            voxels lie in the header's own folder.
    """
    path = Path(path)
    if path.suffix.lower() in VOXELS_ENDINGS:
        raise ScanError(f"{path}: expected a header (.mhd) beside the voxels, found none")
    fields, end = read_fields(path)
    fields = drop_last_dimension(fields)
    _expect(path, fields, "ObjectType", {"Image"}, default="Image")
    _expect(path, fields, "NDims", {"3"})
    _expect(path, fields, "ElementType", element_types)
    _expect(path, fields, "ElementNumberOfChannels", {"1"}, default="1")
    if not _flag(path, fields, "BinaryData", default="True"):
        raise ScanError(f"{path}: BinaryData: expected True, found {fields['BinaryData']}")
    _expect(path, fields, "Modality", {"MET_MOD_CT", "MET_MOD_OTHER", "MET_MOD_UNKNOWN"}, default="MET_MOD_CT")
    _expect(path, fields, "DistanceUnits", {"mm", "?"}, default="mm")
    _check_plain(path, fields)
    data_path = find_data(path, fields)
    is_renamed = data_path != path and data_path.name != Path(fields["ElementDataFile"]).name
    header = Header(
        path=path,
        grid=_read_grid(path, fields),
        data_path=data_path,
        data_offset=_data_offset(path, fields, end if data_path == path else 0),
        element_type=fields["ElementType"],
        is_compressed=_flag(path, fields, "CompressedData"),
        is_big_endian=_is_big_endian(path, fields),
        remarks=(f"voxels read from {data_path.name}; the header names {fields['ElementDataFile']}",) * is_renamed,
    )
    _check_size(header, fields.get("CompressedDataSize"))
    return header


def read_fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the header's `key = value` fields and the byte offset behind the ElementDataFile line.

    Reads no further than that line. Of fields that are not read only the name is kept: their content may have any
    encoding and several lines. Raises ScanError for other files.
    """
    fields: dict[str, str] = {}
    last_key = ""
    try:
        # checked before opening: opening a pipe could wait for ever
        if not stat.S_ISREG(path.stat().st_mode):
            raise ScanError(f"{path}: expected a readable file, found a folder, a pipe or a device")
        with path.open("rb") as stream:
            while stream.tell() < MAX_HEADER_BYTES:
                line = stream.readline(MAX_LINE_BYTES)
                if not line:
                    break
                if b"=" not in line and last_key not in ("", *_NEEDED):
                    continue  # a further line of such a field
                if b"=" not in line and line.lstrip().startswith(b"#"):
                    continue  # a note of somebody who wrote the header by hand
                key, value = _split_line(path, line)
                if key in fields and key in _NEEDED:
                    raise ScanError(f"{path}: expected one field {key}, found two")
                if key:
                    fields[key], last_key = value, key
                if key == "ElementDataFile":
                    return fields, stream.tell()
    except OSError as error:
        raise ScanError(f"{path}: expected a readable file, found {error.strerror}") from None
    found = _name_some(fields) or "an empty file"
    raise ScanError(f"{path}: expected a MetaImage header that ends with ElementDataFile, found {found}")


def find_data(path: Path, fields: dict[str, str]) -> Path:
    """Return the file that holds the voxels: one in the header's own folder, or the header's file itself (LOCAL)."""
    name = fields["ElementDataFile"].removeprefix("./")
    if name.upper() == _LOCAL:
        return path
    if not name or name.upper().startswith("LIST") or "%" in name:
        raise ScanError(f"{path}: ElementDataFile: expected one file name or LOCAL, found {name!r}")
    if Path(name).name != name or "\\" in name:
        raise ScanError(f"{path}: ElementDataFile: expected a file in the header's folder, found {name!r}")
    return _in_other_case(path.with_name(name))


def _in_other_case(named: Path) -> Path:
    """Return the one file whose name differs from a missing one's in upper and lower case only, else `named`."""
    if os.path.lexists(named):
        return named
    wanted = named.name.casefold()
    found = [entry for entry in named.parent.iterdir() if entry.name.casefold() == wanted]
    return found[0] if len(found) == 1 else named


def _name_some(names: Iterable[str]) -> str:
    """List names for a message: all of a few, the first ones of many."""
    listed = list(names)
    more = f" and {len(listed) - _MAX_NAMED} more" if len(listed) > _MAX_NAMED else ""
    return ", ".join(listed[:_MAX_NAMED]) + more


def _split_line(path: Path, line: bytes) -> tuple[str, str]:
    # editors of some systems put a byte order mark before the text
    start, mark, rest = line.removeprefix(b"\xef\xbb\xbf").partition(b"=")
    key = start.strip().decode("utf-8", errors="replace")
    if mark and key not in _NEEDED and key.isprintable():
        return key, ""
    try:
        value = rest.decode("utf-8").strip()
        start.decode("utf-8")
    except UnicodeDecodeError:
        raise ScanError(f"{path}: expected lines 'key = value' in UTF-8, found {line[:40]!r}") from None
    if b"\0" in line or (key and not mark) or not key.isprintable():
        raise ScanError(f"{path}: expected lines 'key = value', found {line[:40]!r}")
    return key, value


def _expect(path: Path, fields: dict[str, str], key: str, allowed: Set[str], *, default: str | None = None) -> None:
    value = fields.get(key, default)
    if value not in allowed:
        raise ScanError(f"{path}: {key}: expected {' or '.join(sorted(allowed))}, found {value or 'nothing'}")


def _flag(path: Path, fields: dict[str, str], key: str, default: str = "False") -> bool:
    """Return a flag that is True or False in any case, or 1 or 0."""
    word = fields.get(key, default)
    if word.lower() not in _FLAGS:
        raise ScanError(f"{path}: {key}: expected False or True, found {word or 'nothing'}")
    return _FLAGS[word.lower()]


def _is_big_endian(path: Path, fields: dict[str, str]) -> bool:
    flags = {_flag(path, fields, key) for key in _BYTE_ORDER_KEYS if key in fields}
    if len(flags) > 1:
        raise ScanError(f"{path}: expected {' and '.join(_BYTE_ORDER_KEYS)} to agree, found True and False")
    return True in flags


def _check_plain(path: Path, fields: dict[str, str]) -> None:
    """Refuse voxels with a rescale to HU, which some readers of MetaImage apply and others do not."""
    for key, plain in _RESCALE_KEYS.items():
        if key in fields and _numbers(path, key, fields[key], 1) != [plain]:
            raise ScanError(f"{path}: {key}: expected {plain:g}, found {fields[key]}")


def _numbers(path: Path, key: str, text: str, count: int) -> list[float]:
    words = text.split()
    # Python's float() would also read 2_0, and the digits of other scripts
    values = [float(word) for word in words if _NUMBER.fullmatch(word)] if text.isascii() else []
    if len(words) != count or len(values) != count or not np.all(np.isfinite(values)):
        raise ScanError(f"{path}: {key}: expected {count} finite numbers, found {text!r}")
    return values


def _read_grid(path: Path, fields: dict[str, str]) -> Grid:
    spacing_key = next((key for key in _SPACING_KEYS if key in fields), _SPACING_KEYS[0])
    for key in ("DimSize", spacing_key):
        if key not in fields:
            raise ScanError(f"{path}: expected the field {key}, found {_name_some(fields)}")
    size = fields["DimSize"].split()
    if len(size) != 3 or not all(re.fullmatch("[1-9][0-9]{0,5}", word) for word in size):
        raise ScanError(f"{path}: DimSize: expected three positive sizes, found {fields['DimSize']!r}")
    origin = _first(path, fields, _ORIGIN_KEYS, [0.0] * 3)
    axes = _first(path, fields, _DIRECTION_KEYS, [1.0, 0, 0, 0, 1, 0, 0, 0, 1])
    spacing = _numbers(path, spacing_key, fields[spacing_key], 3)
    # MetaImage lists the world vector of each axis in a row; a direction matrix holds them in its columns
    direction = np.reshape(axes, (3, 3)).T.ravel().tolist()
    try:
        return Grid.from_xyz([int(word) for word in size], spacing, origin, direction)
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from None


def _first(path: Path, fields: dict[str, str], keys: tuple[str, ...], default: list[float]) -> list[float]:
    given = {key: _numbers(path, key, fields[key], len(default)) for key in keys if key in fields}
    values = next(iter(given.values()), default)
    if any(other != values for other in given.values()):
        raise ScanError(f"{path}: expected one of {', '.join(keys)}, found {', '.join(given)} with different values")
    return values


def _data_offset(path: Path, fields: dict[str, str], end: int) -> int:
    """Return the byte at which the voxels begin: `end` of the header in the same file, 0 (none) in another."""
    text = fields.get("HeaderSize", str(end))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ScanError(f"{path}: HeaderSize: expected a number of bytes, found {text!r}")
    if end and int(text) != end:
        raise ScanError(f"{path}: HeaderSize: expected {end}, where the header ends, found {text}")
    return int(text)


def _check_size(header: Header, compressed_size: str | None) -> None:
    try:
        state = header.data_path.stat()
    except OSError as error:
        raise ScanError(f"{header.path}: expected voxels in {header.data_path.name}, found {error.strerror}") from None
    if not stat.S_ISREG(state.st_mode):
        raise ScanError(
            f"{header.path}: expected voxels in {header.data_path.name}, found a folder, a pipe or a device"
        )
    found = state.st_size - header.data_offset
    if not header.is_compressed:
        expected = str(header.num_bytes)
    else:
        expected = compressed_size if compressed_size is not None else str(found)
    if str(found) != expected:
        raise ScanError(f"{header.data_path}: expected {expected} bytes of voxels, found {found}")
