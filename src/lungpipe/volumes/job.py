"""One scan's job: read, resample, find the lungs, store, judge; a failure is an outcome, not an exception."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.lungs import segment_lungs
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.qc import count_nodules, failed_row, qc_row
from lungpipe.volumes.resample import resample
from lungpipe.volumes.sources import hash_source, stat_source
from lungpipe.volumes.store import content_sha256, list_files, open_volume, write_volume

RECORD_KEY = "entry"


@dataclass(frozen=True, slots=True, eq=False)
class ScanJob:
    """What preparing one scan needs: its files, where to, how, its nodules' centres (N, 3; world zyx mm), threads."""

    scan: ScanFiles
    folder: Path
    settings: PreprocessingSettings
    code: str
    subset: int
    centers_zyx_mm: NDArray[np.float64]
    threads: int = 1

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

    @property
    def judged(self) -> str:
        """SHA-256 of what the QC row depends on beside the volume: nodules, margin, subset, the file's name."""
        centers = self.centers_zyx_mm.tolist()
        return _digest([centers, self.settings.lung_margin_mm, self.subset, self.scan.header_path.name])


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
        # before reading: a file that changes meanwhile is found changed the next time
        stat, digest = stat_source(job.scan), hash_source(job.scan)
        entry = _prepare(job, read_scan(job.scan.header_path, uid), digest)
        return Outcome(uid, entry, judge(job, entry), {"stat": stat, "sha256": digest, "judged": job.judged})
    except Exception as error:  # noqa: BLE001 - one bad scan must not end the others; its row names the reason
        reason = str(error) or type(error).__name__
        return Outcome(uid, None, failure(job, reason), {})


def failure(job: ScanJob, reason: str) -> dict[str, Any]:
    """Return the QC row of a job that failed."""
    name = job.scan.header_path.name
    num_nodules = len(job.centers_zyx_mm)
    return failed_row(job.scan.series_uid, job.subset, name, num_nodules=num_nodules, reason=reason)


def judge(job: ScanJob, entry: VolumeEntry) -> dict[str, Any]:
    """Return the QC row of a stored volume; reads the lung labels around its nodules."""
    volume = open_volume(job.store_path)
    counts = count_nodules(job.centers_zyx_mm, volume.grid, volume.read_lungs, job.settings.lung_margin_mm)
    row = qc_row(entry.series_uid, job.subset, job.scan.header_path.name, counts)
    return {**row, "lungs_ml": entry.lungs_ml, "min_hu": float(entry.min_hu), "max_hu": float(entry.max_hu)}


def find_lungs(hu: NDArray[np.int16], grid: Grid, settings: PreprocessingSettings) -> NDArray[np.uint8]:
    """Return the undilated lung labels (1 left, 2 right) by the settings' method; `whole` labels every voxel 1."""
    if settings.lung_mask == "whole":
        return np.ones(grid.shape_zyx, dtype=np.uint8)
    return segment_lungs(hu, grid, threshold_hu=settings.lung_threshold_hu)


def _prepare(job: ScanJob, scan: Scan, source_sha256: str) -> VolumeEntry:
    grid = scan.grid.resampled(job.settings.spacing_zyx_mm)
    hu = resample(scan, grid, threads=job.threads)
    lungs = find_lungs(hu, grid, job.settings)
    entry = VolumeEntry(
        series_uid=scan.series_uid,
        store=job.store_path.name,
        shape_zyx=grid.shape_zyx,
        spacing_zyx_mm=grid.spacing_zyx_mm,
        origin_zyx_mm=grid.origin_zyx_mm,
        source_sha256=source_sha256,
        parameters=job.parameters,
        code=job.code,
        content_sha256=content_sha256(hu, grid, lungs),
        lungs_ml=round(np.count_nonzero(lungs) * grid.voxel_volume_mm3 / 1000.0, 3),
        min_hu=int(hu.min()),
        max_hu=int(hu.max()),
        files={},
    )
    # the store records its own entry: a run that was killed half-way keeps what it had finished
    record = {RECORD_KEY: entry.to_json()}
    write_volume(job.store_path, hu, grid, lungs, series_uid=scan.series_uid, attributes=record)
    return with_files(entry, job.store_path)


def with_files(entry: VolumeEntry, store_path: Path) -> VolumeEntry:
    """Return the entry with the names and sizes of the files of its store."""
    return VolumeEntry.from_json({**entry.to_json(), "files": list_files(store_path)})


def _digest(content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()
