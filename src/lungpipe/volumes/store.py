"""Read volumes: one sharded OME-Zarr 0.5 group per series, as `volumes.writer` writes it."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid, Window
from lungpipe.volumes.arrays import ChunkedArray
from lungpipe.volumes.ome import read_grid

__all__ = [
    "LUNGS",
    "OWN_KEY",
    "StoredVolume",
    "VolumeError",
    "check_files",
    "check_metadata",
    "list_files",
    "metadata_digest",
    "open_volume",
    "read_own_attributes",
]

OWN_KEY = "lungpipe"
DIGEST_KEY = "metadata_sha256"
METADATA_FILE = "zarr.json"
LUNGS = "labels/lungs"
_MAX_OPENINGS = 5


class VolumeError(ValueError):
    """A store that cannot be written or read; the message names the store, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredVolume:
    """An opened store: int16 HU and lung labels (0 none, 1 left, 2 right) on one axis-aligned grid.

    Reading raises VolumeError for damaged chunks, and if another process replaced or removed the store since it was
    opened: no voxels of two stores are mixed.
    """

    path: Path
    series_uid: str
    grid: Grid
    attributes: Mapping[str, Any]
    _image: ChunkedArray
    _lungs: ChunkedArray
    _state: tuple[int, ...]

    def read_hu(self, window: Window | None = None, fill: int | None = None) -> NDArray[np.int16]:
        """Return HU (int16, zyx) of the whole volume or of a window.

        Outside the volume its nearest voxel repeats (see `Volume`), or everything is `fill`.
        """
        return self._read(self._image, window, fill)

    def read_lungs(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the undilated lung labels (uint8, zyx; 0 none, 1 left, 2 right), 0 outside the volume."""
        return self._read(self._lungs, window, 0)

    def _read(self, array: ChunkedArray, window: Window | None, fill: int | None) -> NDArray[Any]:
        try:
            if window is None:
                found = array[...]
            else:
                found = window.cut_nearest(array) if fill is None else window.cut(array, fill)
        except (ValueError, OSError) as error:
            self._refuse_replaced()
            name = array.path.relative_to(self.path)
            advice = "remove this store and the manifest beside it, and the next run prepares the scan again"
            raise VolumeError(
                f"{self.path}, array {name}: expected readable chunks, found {error}; {advice}"
            ) from error
        # a shard that is missing would be read as air
        self._refuse_replaced()
        return found

    def _refuse_replaced(self) -> None:
        if _state_of(self.path) != self._state:
            raise VolumeError(
                f"{self.path}: expected the store that was opened, found that it was replaced or removed since; "
                "start this job again"
            )


def open_volume(path: Path, series_uid: str | None = None) -> StoredVolume:
    """Open a store for reading; `series_uid` is the series that the caller expects in the store, if any.

    Raises:
        VolumeError: no store, other metadata, metadata that were edited, another series, or a shard that is missing or
            has another size than when it was written (Zarr itself would read a missing shard as air).
    """
    path = Path(path)
    # a store that is replaced while it is opened is opened again
    for _ in range(_MAX_OPENINGS):
        state = _state_of(path)
        volume = _open(path, state)
        if _state_of(path) == state:
            break
    else:
        raise VolumeError(f"{path}: expected a store that stays while it is opened, found it replaced again and again")
    if series_uid is not None and volume.series_uid != series_uid:
        raise VolumeError(f"{path}: expected the volume of series {series_uid}, found that of {volume.series_uid}")
    return volume


def _open(path: Path, state: tuple[int, ...]) -> StoredVolume:
    with _refusing(path):
        attributes = _read_attributes(path)
        own = attributes[OWN_KEY]
        image, lungs = ChunkedArray(path / "0"), ChunkedArray(path / LUNGS / "0")
        grid = read_grid(attributes, image.shape)
        expected = [(grid.shape_zyx, np.dtype(np.int16)), (grid.shape_zyx, np.dtype(np.uint8))]
        found = [(array.shape, array.dtype) for array in (image, lungs)]
        if found != expected:
            raise ValueError(f"expected image and lungs as {expected}, found {found}")
        uid, files = str(own["series_uid"]), dict(own.get("files", {}))
    check_files(path, files)
    _check_digest(path, attributes)
    return StoredVolume(path, uid, grid, own, image, lungs, state)


def read_own_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes given to `write_volume`, and the store's files, without opening arrays.

    Raises:
        VolumeError: no store, or metadata that cannot be read.
    """
    with _refusing(Path(path)):
        own = _read_attributes(Path(path))[OWN_KEY]
        if not isinstance(own, dict):
            raise ValueError(f"expected a record of the volume, found {own!r}")
        return own


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


def check_metadata(path: Path) -> None:
    """Raise VolumeError unless the metadata of a store (scale, origin, series, codecs ...) are as they were written."""
    with _refusing(path):
        attributes = _read_attributes(path)
    _check_digest(path, attributes)


def _check_digest(path: Path, attributes: Mapping[str, Any]) -> None:
    with _refusing(path):
        found, expected = metadata_digest(path, attributes), attributes[OWN_KEY].get(DIGEST_KEY)
    if found != expected:
        known = "none" if expected is None else f"{str(expected)[:12]} when they were written and {found[:12]} now"
        raise VolumeError(f"{path}: expected metadata with the digest of their writing, found {known}")


def metadata_digest(path: Path, attributes: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the attributes of a store's group and of the metadata files of its arrays.

    The digest itself, kept under `DIGEST_KEY` of the own attributes, does not count.
    """
    own = {key: value for key, value in attributes[OWN_KEY].items() if key != DIGEST_KEY}
    digest = hashlib.sha256(json.dumps({**attributes, OWN_KEY: own}, sort_keys=True).encode())
    for name in sorted(own.get("files", {})):
        if name.endswith(METADATA_FILE):
            digest.update(name.encode() + b"\0" + (path / name).read_bytes())
    return digest.hexdigest()


def _state_of(path: Path) -> tuple[int, ...]:
    """Return what tells a store from the one that replaces it; a store that is removed has no state."""
    try:
        found = os.stat(f"{path}/{METADATA_FILE}")
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read_attributes(path: Path) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads((path / METADATA_FILE).read_text())["attributes"]
    return attributes


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise VolumeError(f"{path}: expected an OME-Zarr volume, found {type(error).__name__}: {error}") from None
