"""One scan's job: read, resample, find the lungs, store, judge; a failure is an outcome, not an exception."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.read import METAIMAGE, read_with
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.lungs.measures import side_volumes
from lungpipe.preparation.make_volume import fill_draft, find_lungs, require_lungs
from lungpipe.preparation.qc import count_nodules, failed_row, qc_row
from lungpipe.preparation.raw_changes import hash_source, stat_source
from lungpipe.resampling.resample import resample
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.store import list_files
from lungpipe.volumes.writer import draft_volume

RECORD_KEY = "entry"


@dataclass(frozen=True, slots=True, eq=False)
class ScanJob:
    """What preparing one scan needs: its files, where to, how, its nodules' centres (N, 3; world zyx mm), threads.

    `code` and `row_code` are fingerprints of what makes the volume and its QC row; `reader` names the files' reader.
    """

    scan: ScanFiles
    folder: Path
    settings: PreprocessingSettings
    code: str
    subset: int
    centers_zyx_mm: NDArray[np.float64]
    threads: int = 1
    row_code: str = ""
    reader: str = METAIMAGE

    @property
    def store_path(self) -> Path:
        """Where the volume goes."""
        return self.folder / f"{self.scan.series_uid}{STORE_SUFFIX}"

    @property
    def parameters(self) -> str:
        """SHA-256 of the settings that decide the volume's bytes; margin and scheduler are not among them."""
        settings = self.settings
        threshold = settings.lung_threshold_hu if settings.lung_mask == "threshold" else None
        return _digest([settings.spacing_zyx_mm, settings.lung_mask, threshold])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a job: the manifest's entry (none if it failed), the QC row, and the raw files' record."""

    series_uid: str
    entry: VolumeEntry | None
    row: dict[str, Any]
    source: dict[str, Any]


def run_job(job: ScanJob) -> Outcome:
    """Prepare one scan; whatever goes wrong becomes the reason in its QC row."""
    uid = job.scan.series_uid
    try:
        stat = stat_source(job.scan)
        entry, lungs = prepare_volume(job, stat)
        return Outcome(uid, entry, judge(job, entry, lungs), record(job, entry, stat))
    except Exception as error:  # noqa: BLE001 - one bad scan must not end the others; its row names the reason
        reason = str(error) or type(error).__name__
        return Outcome(uid, None, failure(job, reason), {})


def failure(job: ScanJob, reason: str) -> dict[str, Any]:
    """Return the QC row of a job that failed."""
    name = job.scan.header_path.name
    num_nodules = len(job.centers_zyx_mm)
    return failed_row(job.scan.series_uid, job.subset, name, num_nodules=num_nodules, reason=reason)


def judge(job: ScanJob, entry: VolumeEntry, lungs: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the QC row of a stored volume and its lung labels (uint8, zyx)."""
    grid = entry.grid
    counts = count_nodules(job.centers_zyx_mm, grid, lambda window: window.cut(lungs, 0), job.settings.lung_margin_mm)
    row = qc_row(entry.series_uid, job.subset, job.scan.header_path.name, counts)
    measured = {"lungs_ml": entry.lungs_ml, "min_hu": float(entry.min_hu), "max_hu": float(entry.max_hu)}
    if job.settings.lung_mask == "whole":
        return {**row, **measured}  # such a mask has no sides
    left_ml, right_ml = side_volumes(lungs, grid)
    return {**row, **measured, "left_lung_ml": round(left_ml, 3), "right_lung_ml": round(right_ml, 3)}


def record(job: ScanJob, entry: VolumeEntry, stat: list[list[int]]) -> dict[str, Any]:
    """Return what `sources.json` keeps of a scan: sizes and times of its files, their SHA-256, and `judged`."""
    return {"stat": stat, "sha256": entry.source_sha256, "judged": digest_judged(job)}


def digest_judged(job: ScanJob) -> str:
    """Return the SHA-256 of what the QC row depends on beside the volume: nodules, margin, subset, file name, code."""
    centers = job.centers_zyx_mm.tolist()
    return _digest([centers, job.settings.lung_margin_mm, job.subset, job.scan.header_path.name, job.row_code])


def prepare_volume(job: ScanJob, stat: list[list[int]]) -> tuple[VolumeEntry, NDArray[np.uint8]]:
    """Read, resample and store one scan; return its entry and its lung labels (uint8, zyx).

    All code that makes the bytes of a store is below this function: `code` of the job is its fingerprint. `stat` is
    what `stat_source` said of the files before.

    Raises:
        ScanError: a scan that cannot be trusted, has no lungs, or changed while it was read.
        OSError: files that cannot be read or written.
    """
    hu, grid = _resample(job)

    def find() -> NDArray[np.uint8]:
        return require_lungs(find_lungs(hu, grid, job.settings), job.scan.header_path)

    def look() -> tuple[str, int, int]:
        return hash_source(job.scan), int(hu.min()), int(hu.max())

    with draft_volume(job.store_path, grid) as draft:
        lungs, (source_sha256, min_hu, max_hu) = fill_draft(draft, hu, find, look)
        # the bytes that were read and those that were hashed are the same if the files stayed as they were
        if stat_source(job.scan) != stat:
            found = "found it changed while it was read"
            raise ScanError(f"{job.scan.header_path}: expected a scan that stays as it is, {found}")
        entry = VolumeEntry(
            series_uid=job.scan.series_uid,
            store=job.store_path.name,
            shape_zyx=grid.shape_zyx,
            spacing_zyx_mm=grid.spacing_zyx_mm,
            origin_zyx_mm=grid.origin_zyx_mm,
            source_sha256=source_sha256,
            parameters=job.parameters,
            code=job.code,
            content_sha256=draft.content_sha256,
            lungs_ml=round(np.count_nonzero(lungs) * grid.voxel_volume_mm3 / 1000.0, 3),
            min_hu=min_hu,
            max_hu=max_hu,
            files={},
        )
        # the store records its own entry: a run that was killed half-way keeps what it had finished
        draft.finish(job.scan.series_uid, {RECORD_KEY: entry.to_json()})
    return with_files(entry, job.store_path), lungs


def _resample(job: ScanJob) -> tuple[NDArray[np.int16], Grid]:
    # a function of its own: the native voxels are let go before the volume is written
    scan = read_with(job.reader, job.scan.header_path, job.scan.series_uid)
    grid = scan.grid.resampled(job.settings.spacing_zyx_mm)
    return resample(scan, grid, threads=job.threads), grid


def with_files(entry: VolumeEntry, store_path: Path) -> VolumeEntry:
    """Return the entry with the names and sizes of the files of its store."""
    return VolumeEntry.from_json({**entry.to_json(), "files": list_files(store_path)})


def _digest(content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()
