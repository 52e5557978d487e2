"""What of an earlier run still holds: stores of unchanged scans are kept, leftovers and strangers are removed."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lungpipe.preparation.raw_changes import is_same_source, read_sources, stat_source
from lungpipe.preparation.scan_job import RECORD_KEY, Outcome, ScanJob, digest_judged, judge, record, with_files
from lungpipe.tables import QC, ContractError, read_table
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.store import VolumeError, check_files, open_volume, read_own_attributes

QC_FILE = "qc.parquet"
_TEMPORARY = re.compile(r"\..*\.ome\.zarr\.\d+-[0-9a-f]{8}")


def find_kept(jobs: Sequence[ScanJob], folder: Path) -> dict[str, Outcome]:
    """Return the outcomes of the scans whose raw files, parameters, volume code and store are unchanged."""
    sources, rows = read_sources(folder), _read_rows(folder)
    outcomes = (_keep(job, sources.get(job.scan.series_uid, {}), rows.get(job.scan.series_uid)) for job in jobs)
    return {outcome.series_uid: outcome for outcome in outcomes if outcome is not None}


def _keep(job: ScanJob, known: dict[str, Any], row: dict[str, Any] | None) -> Outcome | None:
    entry = _recorded_entry(job, known)
    if entry is None:
        return None
    try:
        # the old row holds while its nodules, margin and code do
        is_judged = row is not None and row["is_ok"] and known.get("judged") == digest_judged(job)
        judged = row if row is not None and is_judged else judge(job, entry, open_volume(job.store_path).read_lungs())
        source = record(job, entry, stat_source(job.scan))
    except (VolumeError, OSError):
        return None  # a store whose labels cannot be read is made anew
    return Outcome(entry.series_uid, entry, judged, source)


def remove_others(folder: Path, stores: set[str]) -> int:
    """Remove stores whose names are not among `stores`, and what a killed run left; returns the number of stores."""
    others = [path for path in folder.glob(f"*{STORE_SUFFIX}") if path.name not in stores and path.name[0] != "."]
    left = [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]
    for path in (*others, *left):
        shutil.rmtree(path)
    return len(others)


def _recorded_entry(job: ScanJob, known: dict[str, Any]) -> VolumeEntry | None:
    path = job.store_path
    try:
        own = read_own_attributes(path)
        entry = VolumeEntry.from_json(own[RECORD_KEY])
        check_files(path, own["files"])
    except (VolumeError, LookupError, TypeError, ValueError):
        return None  # no store, or one that is not whole: it is made anew
    wanted = (job.scan.series_uid, path.name, job.parameters, job.code)
    if (entry.series_uid, entry.store, entry.parameters, entry.code) != wanted:
        return None
    return with_files(entry, path) if is_same_source(job.scan, entry.source_sha256, known) else None


def _read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / QC_FILE
    try:
        table = read_table(path, QC)
    except (OSError, ValueError, ContractError):
        return {}  # without a table every kept volume is judged again
    return {str(row["series_uid"]): row for row in _records(table)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
