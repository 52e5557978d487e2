"""Which volumes of an earlier run are up to date; stores that no scan of the subset needs are removed."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lungpipe.preparation.qc import digest_row_inputs, make_row
from lungpipe.preparation.raw_files import is_unchanged, read_records, stat_scan
from lungpipe.preparation.volume import RECORD_KEY, ScanTask, with_files
from lungpipe.tables import QC, ContractError, read_table
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.store import VolumeError, check_files, open_volume, read_own_attributes

QC_FILE = "qc.parquet"
_TEMPORARY = re.compile(r"\..*\.ome\.zarr\.\d+-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a task: the manifest's entry (none if it failed), the QC row, and the raw files' record."""

    series_uid: str
    entry: VolumeEntry | None
    row: dict[str, Any]
    record: dict[str, Any]


def make_record(task: ScanTask, entry: VolumeEntry, stat: list[list[int]]) -> dict[str, Any]:
    """Return what `raw_files.json` keeps of a scan: sizes and times of its files, their SHA-256, and `row_inputs`."""
    return {"stat": stat, "sha256": entry.source_sha256, "row_inputs": digest_row_inputs(task)}


def find_up_to_date(tasks: Sequence[ScanTask], folder: Path) -> dict[str, Outcome]:
    """Return the outcomes of the scans whose raw files, parameters, volume code and store are unchanged."""
    records, rows = read_records(folder), _read_rows(folder)
    outcomes = (_keep(task, records.get(task.scan.series_uid, {}), rows.get(task.scan.series_uid)) for task in tasks)
    return {outcome.series_uid: outcome for outcome in outcomes if outcome is not None}


def _keep(task: ScanTask, known: dict[str, Any], row: dict[str, Any] | None) -> Outcome | None:
    entry = _recorded_entry(task, known)
    if entry is None:
        return None
    try:
        # the old row holds while its nodules, margin and code do
        is_same = row is not None and row["is_ok"] and known.get("row_inputs") == digest_row_inputs(task)
        if row is None or not is_same:
            row = make_row(task, entry, open_volume(task.store_path).read_lungs())
        record = make_record(task, entry, stat_scan(task.scan))
    except (VolumeError, OSError):
        return None  # a store whose labels cannot be read is made anew
    return Outcome(entry.series_uid, entry, row, record)


def remove_others(folder: Path, stores: set[str]) -> int:
    """Remove stores whose names are not among `stores`, and what a killed run left; returns the number of stores."""
    others = [path for path in folder.glob(f"*{STORE_SUFFIX}") if path.name not in stores and path.name[0] != "."]
    left = [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]
    for path in (*others, *left):
        shutil.rmtree(path)
    return len(others)


def _recorded_entry(task: ScanTask, known: dict[str, Any]) -> VolumeEntry | None:
    path = task.store_path
    try:
        own = read_own_attributes(path)
        entry = VolumeEntry.from_json(own[RECORD_KEY])
        check_files(path, own["files"])
    except (VolumeError, LookupError, TypeError, ValueError):
        return None  # no store, or one that is not whole: it is made anew
    wanted = (task.scan.series_uid, path.name, task.parameters, task.code)
    if (entry.series_uid, entry.store, entry.parameters, entry.code) != wanted:
        return None
    return with_files(entry, path) if is_unchanged(task.scan, entry.source_sha256, known) else None


def _read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / QC_FILE
    try:
        table = read_table(path, QC)
    except (OSError, ValueError, ContractError):
        return {}  # without a table the row of every kept volume is made again
    return {str(row["series_uid"]): row for row in _records(table)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
