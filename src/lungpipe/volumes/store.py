"""Read volumes: one sharded OME-Zarr 0.5 group per series, as `draft` writes it."""

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
    "list_files",
    "open_volume",
    "read_own_attributes",
]

OWN_KEY = "lungpipe"
LUNGS = "labels/lungs"


class VolumeError(ValueError):
    """A store that cannot be written or read; the message names the store, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredVolume:
    """An opened store: int16 HU and lung labels (0 none, 1 left, 2 right) on one axis-aligned grid."""

    path: Path
    series_uid: str
    grid: Grid
    attributes: Mapping[str, Any]
    _image: ChunkedArray
    _lungs: ChunkedArray

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
                return array[...]
            return window.cut_nearest(array) if fill is None else window.cut(array, fill)
        except (ValueError, OSError) as error:
            name = array.path.relative_to(self.path)
            raise VolumeError(f"{self.path}, array {name}: expected readable chunks, found {error}") from error


def open_volume(path: Path) -> StoredVolume:
    """Open a store for reading.

    Raises:
        VolumeError: no store, other metadata, or a shard that is missing or has another size than when it was written
            (Zarr itself would read a missing shard as air).
    """
    path = Path(path)
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
    return StoredVolume(path, uid, grid, own, image, lungs)


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


def _read_attributes(path: Path) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]
    return attributes


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise VolumeError(f"{path}: expected an OME-Zarr volume, found {type(error).__name__}: {error}") from None
