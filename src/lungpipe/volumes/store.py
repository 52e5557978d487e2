"""Volumes on disk: one sharded OME-Zarr 0.5 group per series; the only module that imports zarr."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from lungpipe.geometry import Grid, Window
from lungpipe.volumes.hounsfield import AIR_HU
from lungpipe.volumes.ome import image_attributes, label_attributes, read_grid

__all__ = [
    "AIR_HU",
    "StoredVolume",
    "VolumeError",
    "check_files",
    "content_sha256",
    "list_files",
    "open_volume",
    "read_own_attributes",
    "write_volume",
]

if find_spec("zarrs") is not None:  # the Rust codecs read a crop three times faster; the bytes' format is the same
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})

CHUNK_VOX = 64
MAX_SHARD_VOX = 256
OWN_KEY = "lungpipe"
_LUNGS = "labels/lungs"


class VolumeError(ValueError):
    """A store that cannot be written or read; the message names it, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredVolume:
    """An opened store: int16 HU and lung labels (0 none, 1 left, 2 right) on one axis-aligned grid."""

    path: Path
    series_uid: str
    grid: Grid
    attributes: Mapping[str, Any]
    _image: zarr.Array[Any]
    _lungs: zarr.Array[Any]

    def read_hu(self, window: Window | None = None, fill: int = AIR_HU) -> NDArray[np.int16]:
        """Return HU (int16, zyx) of the whole volume or of a window, with `fill` outside the volume."""
        return self._read(self._image, window, fill)

    def read_lungs(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the undilated lung labels (uint8, zyx; 0 none, 1 left, 2 right), 0 outside the volume."""
        return self._read(self._lungs, window, 0)

    def _read(self, array: zarr.Array[Any], window: Window | None, fill: int) -> NDArray[Any]:
        try:
            return np.asarray(array[...]) if window is None else window.cut(array, fill)  # type: ignore[arg-type]
        except Exception as error:  # codecs raise many kinds; each must name the store
            raise VolumeError(f"{self.path}, array {array.path}: expected readable chunks, found {error}") from error


def open_volume(path: Path) -> StoredVolume:
    """Open a store for reading.

    Raises:
        VolumeError: no store, other metadata, or a shard that is missing or has another size than when it was written
            (Zarr itself would read a missing shard as air).
    """
    path = Path(path)
    try:
        group = zarr.open_group(str(path), mode="r", zarr_format=3)
        attributes = dict(group.attrs)
        own: dict[str, Any] = attributes[OWN_KEY]  # type: ignore[assignment]
        image, lungs = group["0"], group[f"{_LUNGS}/0"]
        grid = read_grid(attributes, image.shape)  # type: ignore[union-attr]
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise VolumeError(f"{path}: expected an OME-Zarr volume, found {type(error).__name__}: {error}") from None
    check_files(path, own.get("files", {}))
    return StoredVolume(path, str(own["series_uid"]), grid, own, image, lungs)  # type: ignore[arg-type]


def write_volume(
    path: Path,
    hu: NDArray[np.int16],
    grid: Grid,
    lungs: NDArray[np.uint8],
    *,
    series_uid: str,
    attributes: Mapping[str, Any],
) -> None:
    """Write HU (int16, zyx) and lung labels (uint8, zyx) of one series as OME-Zarr, whole: temporary name, then rename.

    `attributes` (JSON) are kept under the key `lungpipe` of the group. A store of that name is replaced.

    Raises:
        VolumeError: arrays of another shape or dtype than expected, or a grid that is not axis-aligned.
    """
    path = Path(path)
    _check_arrays(path, hu, grid, lungs)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _write_group(temporary, hu, grid, lungs)
        _describe(temporary, grid, {**attributes, "series_uid": series_uid})
        _sync(temporary)
        _take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_own_attributes(path: Path) -> dict[str, Any]:
    """Return what `write_volume` kept of its caller's attributes, with the store's files, without opening arrays.

    Raises:
        VolumeError: no store, or metadata that cannot be read.
    """
    try:
        own = json.loads((Path(path) / "zarr.json").read_text())["attributes"][OWN_KEY]
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise VolumeError(f"{path}: expected an OME-Zarr volume, found {type(error).__name__}: {error}") from None
    if not isinstance(own, dict):
        raise VolumeError(f"{path}: expected a record of the volume, found {own!r}")
    return own


def content_sha256(hu: NDArray[np.int16], grid: Grid, lungs: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of what a store holds: geometry, HU and lung labels, independent of codec and chunks."""
    digest = hashlib.sha256(repr(grid).encode())
    digest.update(np.ascontiguousarray(hu).data)
    digest.update(np.ascontiguousarray(lungs).data)
    return digest.hexdigest()


def list_files(path: Path) -> dict[str, int]:
    """Return the size of every file of a store, by its name relative to the store, sorted."""
    files = (item for item in Path(path).rglob("*") if item.is_file())
    return dict(sorted((item.relative_to(path).as_posix(), item.stat().st_size) for item in files))


def check_files(path: Path, files: Mapping[str, int]) -> None:
    """Raise VolumeError for the first of `files` (name to size) that is missing in the store or has another size."""
    for name, size in files.items():
        try:
            found = f"{os.stat(f'{path}/{name}').st_size} bytes"
        except OSError as error:
            found = str(error.strerror)
        if found != f"{size} bytes":
            raise VolumeError(f"{path}: expected {name} with {size} bytes, found {found}")


def _check_arrays(path: Path, hu: NDArray[np.int16], grid: Grid, lungs: NDArray[np.uint8]) -> None:
    if not grid.is_axis_aligned:
        raise VolumeError(f"{path}: expected an axis-aligned grid, found the direction {grid.direction_zyx}")
    for name, array, dtype in (("hu", hu, np.int16), ("lungs", lungs, np.uint8)):
        if array.shape != grid.shape_zyx or array.dtype != dtype:
            expected = f"{np.dtype(dtype)} {grid.shape_zyx}"
            raise VolumeError(f"{path}: {name}: expected {expected}, found {array.dtype} {array.shape}")


def _write_group(path: Path, hu: NDArray[np.int16], grid: Grid, lungs: NDArray[np.uint8]) -> None:
    group = zarr.create_group(str(path), zarr_format=3)
    group.create_group("labels", attributes={"ome": {"version": "0.5", "labels": ["lungs"]}})
    labels = group.create_group(_LUNGS, attributes=label_attributes(grid))
    _write_array(group, "0", hu, AIR_HU)
    _write_array(group, "1", halve_hu(hu), AIR_HU)
    _write_array(labels, "0", lungs, 0)
    _write_array(labels, "1", halve_labels(lungs), 0)


def _describe(path: Path, grid: Grid, own: Mapping[str, Any]) -> None:
    """Write the group's own metadata, last: they list every other file with its size."""
    files = {name: size for name, size in list_files(path).items() if name != "zarr.json"}
    group = zarr.open_group(str(path), mode="r+", zarr_format=3)
    group.update_attributes({**image_attributes(grid, str(own["series_uid"])), OWN_KEY: {**own, "files": files}})


def _write_array(group: zarr.Group, name: str, array: NDArray[Any], fill: int) -> None:
    shards = tuple(min(-(-n // CHUNK_VOX) * CHUNK_VOX, MAX_SHARD_VOX) for n in array.shape)
    target = group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(CHUNK_VOX,) * 3,
        shards=shards,
        compressors=[BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")],
        fill_value=fill,
        dimension_names=("z", "y", "x"),
    )
    target[...] = array


def _even(array: NDArray[Any]) -> NDArray[Any]:
    odd = [(0, n % 2) for n in array.shape]
    return np.pad(array, odd, mode="edge") if any(after for _, after in odd) else array


def halve_hu(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the mean of every 2 x 2 x 2 voxels, rounded; an odd last voxel is repeated."""
    pairs = _even(hu)
    half = np.empty([n // 2 for n in pairs.shape], dtype=np.int16)
    # plane by plane: the sums stay in the cache
    for index in range(half.shape[0]):
        plane = np.add(pairs[2 * index], pairs[2 * index + 1], dtype=np.int32)
        rows = plane[0::2] + plane[1::2]
        half[index] = (rows[:, 0::2] + rows[:, 1::2] + 4) >> 3
    return half


def halve_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest label of every 2 x 2 x 2 voxels, so that a thin structure does not vanish."""
    pairs = _even(labels)
    planes = np.maximum(pairs[0::2], pairs[1::2])
    rows = np.maximum(planes[:, 0::2], planes[:, 1::2])
    return np.maximum(rows[:, :, 0::2], rows[:, :, 1::2])


def _sync(folder: Path) -> None:
    for name in list_files(folder):
        with (folder / name).open("rb+") as stream:
            os.fsync(stream.fileno())


def _take_place(temporary: Path, path: Path) -> None:
    if not path.exists():
        os.rename(temporary, path)
        return
    old = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    os.rename(path, old)
    os.rename(temporary, path)
    shutil.rmtree(old)
