"""Write MetaImage pairs with the header fields of LUNA16's own files."""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.tables import write_bytes, write_text

ELEMENT_TYPES = {"int16": "MET_SHORT", "uint8": "MET_UCHAR"}


def write_metaimage(array: NDArray[np.generic], grid: Grid, path: Path, *, is_compressed: bool = False) -> None:
    """Write `<path>` (.mhd) and its voxels (zyx, int16 or uint8) beside it as .raw, or .zraw when compressed.

    The header is written last, so that a header never exists without its voxels.

    Raises:
        ValueError: an array of another shape than the grid, or of another type.
    """
    if array.shape != grid.shape_zyx or array.dtype.name not in ELEMENT_TYPES:
        expected = f"{grid.shape_zyx} of {' or '.join(ELEMENT_TYPES)}"
        raise ValueError(f"{path}: expected an array {expected}, found {array.shape} of {array.dtype}")
    little_endian = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    content = little_endian.tobytes()
    if is_compressed:
        content = zlib.compress(content, 1)
    voxels = path.with_suffix(".zraw" if is_compressed else ".raw")
    write_bytes(voxels, content)
    compressed_size = len(content) if is_compressed else None
    write_text(path, _header(grid, ELEMENT_TYPES[array.dtype.name], voxels.name, compressed_size))


def _header(grid: Grid, element_type: str, voxels_name: str, compressed_size: int | None) -> str:
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(compressed_size is not None),
        **({} if compressed_size is None else {"CompressedDataSize": str(compressed_size)}),
        "TransformMatrix": _numbers(grid.direction_xyz),
        "Offset": _numbers(grid.origin_xyz_mm),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": _numbers(grid.spacing_xyz_mm),
        "DimSize": _numbers(grid.size_xyz),
        "ElementType": element_type,
        "ElementDataFile": voxels_name,
    }
    return "".join(f"{key} = {value}\n" for key, value in fields.items())


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.12g}" for value in values)
