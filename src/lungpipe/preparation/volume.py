"""Prepare one volume: read a scan, resample it, find its lungs and store both."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.read import METAIMAGE, read_with
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.lungs.segment import segment_lungs
from lungpipe.preparation.raw_files import hash_scan, stat_scan
from lungpipe.resampling.resample import resample
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.store import list_files
from lungpipe.volumes.writer import VolumeDraft, draft_volume

Found = TypeVar("Found")

RECORD_KEY = "entry"


@dataclass(frozen=True, slots=True, eq=False)
class ScanTask:
    """One scan to prepare: its files, the folder of its store, settings, threads, and the files' reader.

    `code` is the fingerprint of the code that makes the volume.
    """

    scan: ScanFiles
    folder: Path
    settings: PreprocessingSettings
    code: str
    threads: int = 1
    reader: str = METAIMAGE

    @property
    def store_path(self) -> Path:
        """The path of the store."""
        return self.folder / f"{self.scan.series_uid}{STORE_SUFFIX}"

    @property
    def parameters(self) -> str:
        """SHA-256 of the settings that change the volume's bytes; margin and scheduler do not."""
        settings = self.settings
        threshold = settings.lung_threshold_hu if settings.lung_mask == "threshold" else None
        return digest([settings.spacing_zyx_mm, settings.lung_mask, threshold])


def prepare_volume(task: ScanTask, stat: list[list[int]]) -> VolumeEntry:
    """Read, resample and store one scan; return its entry.

    All code that makes the bytes of a store is below this function: `code` of the task is its fingerprint. `stat` is
    the result of `stat_scan` before the call.

    Raises:
        ScanError: a scan that is malformed, has no lungs, or changed while it was read.
        OSError: files that cannot be read or written.
    """
    hu, grid, remarks = _resample(task)

    def find() -> NDArray[np.uint8]:
        return require_lungs(find_lungs(hu, grid, task.settings), task.scan.header_path)

    def look() -> tuple[str, int, int]:
        return hash_scan(task.scan), int(hu.min()), int(hu.max())

    with draft_volume(task.store_path, grid) as draft:
        lungs, (source_sha256, min_hu, max_hu) = fill_draft(draft, hu, find, look)
        # the hash belongs to the voxels only if the files did not change meanwhile
        if stat_scan(task.scan) != stat:
            found = "found it changed while it was read"
            raise ScanError(f"{task.scan.header_path}: expected a scan that stays as it is, {found}")
        entry = VolumeEntry(
            series_uid=task.scan.series_uid,
            store=task.store_path.name,
            shape_zyx=grid.shape_zyx,
            spacing_zyx_mm=grid.spacing_zyx_mm,
            origin_zyx_mm=grid.origin_zyx_mm,
            source_sha256=source_sha256,
            parameters=task.parameters,
            code=task.code,
            content_sha256=draft.content_sha256,
            lungs_ml=round(np.count_nonzero(lungs) * grid.voxel_volume_mm3 / 1000.0, 3),
            min_hu=min_hu,
            max_hu=max_hu,
            files={},
            remarks=remarks,
        )
        # the entry is written into the store, so that a killed run keeps its finished volumes
        draft.finish(task.scan.series_uid, {RECORD_KEY: entry.to_json()})
    return with_files(entry, task.store_path)


def _resample(task: ScanTask) -> tuple[NDArray[np.int16], Grid, tuple[str, ...]]:
    # in a function, so that the native voxels are freed before the volume is written
    scan = read_with(task.reader, task.scan.header_path, task.scan.series_uid)
    grid = scan.grid.resampled(task.settings.spacing_zyx_mm)
    return resample(scan, grid, threads=task.threads), grid, scan.remarks


def with_files(entry: VolumeEntry, store_path: Path) -> VolumeEntry:
    """Return the entry with the names and sizes of the files of its store."""
    return VolumeEntry.from_json({**entry.to_json(), "files": list_files(store_path)})


def digest(content: object) -> str:
    """Return the SHA-256 of plain data."""
    return sha256(json.dumps(content).encode()).hexdigest()


def find_lungs(hu: NDArray[np.int16], grid: Grid, settings: PreprocessingSettings) -> NDArray[np.uint8]:
    """Return the undilated lung labels (1 left, 2 right) by the settings' method; `whole` labels every voxel 1."""
    if settings.lung_mask == "whole":
        return np.ones(grid.shape_zyx, dtype=np.uint8)
    return segment_lungs(hu, grid, threshold_hu=settings.lung_threshold_hu)


def require_lungs(lungs: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Return the labels, or raise if no lungs were found: the scan would count as a patient without findings.

    Raises:
        ScanError: no lungs; the message names the scan's file.
    """
    if not lungs.any():
        found = "found no dark region within tissue; preprocessing.lung_mask 'whole' takes a scan as it is"
        raise ScanError(f"{path}: expected a chest with lungs, {found}")
    return lungs


def fill_draft(
    draft: VolumeDraft,
    hu: NDArray[np.int16],
    find: Callable[[], NDArray[np.uint8]],
    look: Callable[[], Found],
) -> tuple[NDArray[np.uint8], Found]:
    """Write HU (int16, zyx, on the draft's grid) while `find` finds the lungs, then write the labels.

    `look` runs in the writing thread after the image is written. Returns the labels and the result of `look`.
    """
    with ThreadPoolExecutor(1) as beside:  # compression and checksums release the interpreter's lock
        written = beside.submit(draft.write_hu, hu)
        read = beside.submit(look)
        lungs = find()
        written.result()
        draft.write_lungs(lungs)
        return lungs, read.result()
