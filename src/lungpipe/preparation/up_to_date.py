"""Find the volumes of an earlier run that are up to date, and remove stores that no scan needs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungpipe.preparation.raw_files import is_unchanged, read_records, stat_scan
from lungpipe.preparation.volume import RECORD_KEY, ScanTask, with_files
from lungpipe.volumes.manifest import STORE_SUFFIX, VolumeEntry
from lungpipe.volumes.place import remove_folder
from lungpipe.volumes.store import VolumeError, check_files, check_metadata, read_own_attributes

_TEMPORARY = re.compile(r"\.+.*\.ome\.zarr(\.\d+-[0-9a-f]{8})+")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The result of one scan: the manifest's entry and the record of raw files, or the reason of the failure."""

    series_uid: str
    entry: VolumeEntry | None
    record: dict[str, Any]
    reason: str = ""


def make_record(entry: VolumeEntry, stat: list[list[int]]) -> dict[str, Any]:
    """Return the record of a scan in `raw_files.json`: sizes, times and SHA-256 of its files."""
    return {"stat": stat, "sha256": entry.source_sha256}


def find_up_to_date(tasks: Sequence[ScanTask], folder: Path) -> dict[str, Outcome]:
    """Return the outcomes of the scans whose raw files, parameters, volume code and store are unchanged."""
    records = read_records(folder)
    outcomes = (_keep(task, records.get(task.scan.series_uid, {})) for task in tasks)
    return {outcome.series_uid: outcome for outcome in outcomes if outcome is not None}


def _keep(task: ScanTask, known: dict[str, Any]) -> Outcome | None:
    entry = _recorded_entry(task, known)
    if entry is None:
        return None
    try:
        return Outcome(entry.series_uid, entry, make_record(entry, stat_scan(task.scan)))
    except OSError:
        return None


def remove_others(folder: Path, stores: set[str]) -> int:
    """Remove stores that are not among `stores`, and leftovers of a killed run; return the number of removed stores."""
    others = [path for path in folder.glob(f"*{STORE_SUFFIX}") if path.name not in stores and path.name[0] != "."]
    left = [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]
    for path in (*others, *left):
        remove_folder(path)
    return len(others)


def _recorded_entry(task: ScanTask, known: dict[str, Any]) -> VolumeEntry | None:
    path = task.store_path
    try:
        own = read_own_attributes(path)
        entry = VolumeEntry.from_json(own[RECORD_KEY])
        check_files(path, own["files"])
        check_metadata(path)
    except (VolumeError, LookupError, TypeError, ValueError):
        return None  # a missing or incomplete store is written again
    wanted = (task.scan.series_uid, path.name, task.parameters, task.code)
    if (entry.series_uid, entry.store, entry.parameters, entry.code) != wanted:
        return None
    return with_files(entry, path) if is_unchanged(task.scan, entry.source_sha256, known) else None
