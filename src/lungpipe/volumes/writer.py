"""Write volumes: one sharded OME-Zarr 0.5 group per series, under a temporary name until complete."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.geometry.downsampling import block_mean, halve_labels
from lungpipe.tables import naming
from lungpipe.terms import AIR_HU
from lungpipe.volumes.array_writing import write_array
from lungpipe.volumes.ome import image_attributes, label_attributes
from lungpipe.volumes.place import take_place
from lungpipe.volumes.store import (
    DIGEST_KEY,
    LUNGS,
    METADATA_FILE,
    OWN_KEY,
    VolumeError,
    check_metadata,
    list_files,
    metadata_digest,
)


class VolumeDraft:
    """A store that is being written: image, then lungs, then `finish`; each once."""

    def __init__(self, path: Path, temporary: Path, grid: Grid) -> None:
        self.grid = grid
        self._path = path
        self._temporary = temporary
        self._digest = hashlib.sha256(repr(grid).encode())
        import zarr

        self._group = zarr.create_group(str(temporary), zarr_format=3)

    @property
    def content_sha256(self) -> str:
        """SHA-256 of geometry, HU and lung labels, independent of codec and chunks; valid after both are written."""
        return self._digest.hexdigest()

    def write_hu(self, hu: NDArray[np.int16]) -> None:
        """Write HU (int16, zyx) and their half-resolution level.

        Raises:
            VolumeError: an array of another shape or dtype than expected.
        """
        self._check("hu", hu, np.int16)
        write_array(self._temporary / "0", hu, AIR_HU)
        write_array(self._temporary / "1", block_mean(hu, (2, 2, 2)), AIR_HU)
        self._digest.update(np.ascontiguousarray(hu).data)

    def write_lungs(self, lungs: NDArray[np.uint8]) -> None:
        """Write lung labels (uint8, zyx; 0 none, 1 left, 2 right) and their half-resolution level.

        Raises:
            VolumeError: an array of another shape or dtype than expected.
        """
        self._check("lungs", lungs, np.uint8)
        self._group.create_group("labels", attributes={"ome": {"version": "0.5", "labels": ["lungs"]}})
        self._group.create_group(LUNGS, attributes=label_attributes(self.grid))
        labels = self._temporary / LUNGS
        with ThreadPoolExecutor(1) as beside:
            digested = beside.submit(self._digest.update, np.ascontiguousarray(lungs).data)
            write_array(labels / "0", lungs, 0)
            write_array(labels / "1", halve_labels(lungs), 0)
            digested.result()

    def finish(self, series_uid: str, attributes: Mapping[str, Any]) -> None:
        """Write the metadata, with `attributes` (JSON) under the key `lungpipe`, and rename the store."""
        # the metadata of the group list every other file with its size
        files = {name: size for name, size in list_files(self._temporary).items() if name != METADATA_FILE}
        own = {**attributes, "series_uid": series_uid, "files": files}
        content = {**image_attributes(self.grid, series_uid), OWN_KEY: own}
        own[DIGEST_KEY] = metadata_digest(self._temporary, json.loads(json.dumps(content)))
        self._group.update_attributes(content)
        _sync(self._temporary)
        check_metadata(self._temporary)
        take_place(self._temporary, self._path)

    def _check(self, name: str, array: NDArray[Any], dtype: type[np.generic]) -> None:
        if array.shape != self.grid.shape_zyx or array.dtype != dtype:
            expected = f"{np.dtype(dtype)} {self.grid.shape_zyx}"
            raise VolumeError(f"{self._path}: {name}: expected {expected}, found {array.dtype} {array.shape}")


@contextmanager
def draft_volume(path: Path, grid: Grid) -> Iterator[VolumeDraft]:
    """Open a draft of the store at `path`; an unfinished draft is removed. An older store is replaced at the end.

    Raises:
        VolumeError: a grid that is not axis-aligned.
        WriteError: the disk does not take the store, or a file has its name.
    """
    path = Path(path)
    if not grid.is_axis_aligned:
        raise VolumeError(f"{path}: expected an axis-aligned grid, found the direction {grid.direction_zyx}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with naming(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield VolumeDraft(path, temporary, grid)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_volume(
    path: Path,
    hu: NDArray[np.int16],
    grid: Grid,
    lungs: NDArray[np.uint8],
    *,
    series_uid: str,
    attributes: Mapping[str, Any],
) -> None:
    """Write HU (int16, zyx) and lung labels (uint8, zyx) of one series as OME-Zarr, atomically.

    `attributes` (JSON) are kept under the key `lungpipe` of the group. A store of that name is replaced.

    Raises:
        VolumeError: arrays of another shape or dtype than expected, or a grid that is not axis-aligned.
    """
    with draft_volume(path, grid) as draft:
        draft.write_hu(hu)
        draft.write_lungs(lungs)
        draft.finish(series_uid, attributes)


def _sync(folder: Path) -> None:
    for name in list_files(folder):
        with (folder / name).open("rb+") as stream:
            os.fsync(stream.fileno())
