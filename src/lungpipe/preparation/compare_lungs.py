"""Compare a subset's stored lungs with reference masks; no volume and no training depends on the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.metaimage_header import read_header
from lungpipe.datasets.reference_lungs import read_reference_lungs
from lungpipe.geometry import Grid
from lungpipe.lungs.measures import count_overlap, dice
from lungpipe.lungs.sides import LEFT, RIGHT
from lungpipe.preparation.memory import require_comparison_memory
from lungpipe.preparation.workers import Work, Workers, spread
from lungpipe.resampling.resample import resample_labels
from lungpipe.tables import REFERENCES, MachineError, is_of_machine
from lungpipe.volumes.manifest import MANIFEST_FILE, VolumeEntry, read_manifest
from lungpipe.volumes.store import open_volume

NO_LUNGS = "expected a lung mask to compare, found preprocessing.lung_mask 'whole', which finds no lungs"

Row = dict[str, Any]
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """The subset's number, and whether its masks are whole volumes instead of lungs."""

    subset: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Pair:
    scan: ScanFiles
    reference: ScanFiles
    entry: VolumeEntry
    store_path: Path


def compare_lungs(
    scans: Sequence[ScanFiles], folder: Path, request: CompareRequest, workers: Workers, *, log: Log
) -> pd.DataFrame:
    """Return a row (contract REFERENCES) for each scan that has a volume in `folder` and a reference.

    If a reference cannot be used, its figures are missing and `reference_reason` has the reason. `log` is called once
    per scan.

    Raises:
        ManifestError, VolumeError: a manifest or a store that cannot be read.
    """
    pairs = _list_pairs(scans, Path(folder))
    if request.is_whole:
        rows = [_refuse(pair, NO_LUNGS) for pair in pairs]
        for row in rows:
            log(_describe(row))
    else:
        rows = spread(Work(_compare, _need, _refuse), pairs, lambda row: log(_describe(row)), workers)
    return REFERENCES.conform(pd.DataFrame([row | {"subset": request.subset} for row in rows], columns=_COLUMNS))


def measure_agreement(lungs: NDArray[np.uint8], reference: NDArray[np.uint8], grid: Grid) -> dict[str, float]:
    """Return the figures of two lung masks (uint8, zyx; 1 left, 2 right) on one grid: Dice, and the reference's ml.

    The Dice of a lung is NaN if neither mask has that lung.
    """
    overlap = count_overlap(lungs, reference)
    reference_ml = float(overlap[:, [LEFT, RIGHT]].sum()) * grid.voxel_volume_mm3 / 1000.0
    return {
        "lungs_dice": round(dice(overlap, LEFT, RIGHT), 5),
        "left_lung_dice": round(dice(overlap, LEFT), 5),
        "right_lung_dice": round(dice(overlap, RIGHT), 5),
        "reference_lungs_ml": round(reference_ml, 3),
    }


_COLUMNS = list(REFERENCES.columns)


def _list_pairs(scans: Sequence[ScanFiles], folder: Path) -> list[_Pair]:
    entries = {entry.series_uid: entry for entry in read_manifest(folder / MANIFEST_FILE)}
    return [
        _Pair(scan, scan.reference, entries[scan.series_uid], folder / entries[scan.series_uid].store)
        for scan in scans
        if scan.reference is not None and scan.series_uid in entries
    ]


def _need(pair: _Pair, limit_bytes: int) -> int:
    return require_comparison_memory(pair.scan, pair.reference, pair.entry.grid, limit_bytes)


def _compare(pair: _Pair) -> Row:
    grid = pair.entry.grid
    try:
        reference = _read_on(grid, pair)
    except (ValueError, OSError) as error:
        if is_of_machine(error):
            raise MachineError(
                f"series {pair.entry.series_uid}: not compared because of the machine: {error}"
            ) from error
        return _refuse(pair, str(error))
    # errors of our own store are not caught: they end the job
    lungs = open_volume(pair.store_path, pair.entry.series_uid).read_lungs()
    return {**_row(pair), **measure_agreement(lungs, reference, grid)}


def _read_on(grid: Grid, pair: _Pair) -> NDArray[np.uint8]:
    native = read_header(pair.scan.header_path).grid
    return resample_labels(read_reference_lungs(pair.reference.header_path, native), native, grid)


def _refuse(pair: _Pair, reason: str) -> Row:
    return {**_row(pair), "reference_reason": reason}


def _row(pair: _Pair) -> Row:
    missing = {name: float("nan") for name, column in REFERENCES.columns.items() if column.is_nullable}
    return {"series_uid": pair.entry.series_uid, "reference_reason": "", **missing}


def _describe(row: Row) -> str:
    reason = row["reference_reason"]
    return f"{row['series_uid']}: lungs {f'not compared: {reason}' if reason else 'compared'}"
