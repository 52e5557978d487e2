"""The QC row of a scan: whether the scan was prepared, why not, and how many nodules are outside volume and lungs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.geometry import Grid, Window, window_around
from lungpipe.lungs.measures import side_volumes
from lungpipe.tables import CENTER_COLUMNS, QC
from lungpipe.volumes.manifest import MANIFEST_FILE, VolumeEntry, read_manifest
from lungpipe.volumes.store import open_volume

ReadLungs = Callable[[Window], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class QcRequest:
    """The inputs of a check besides the volumes: annotated nodules (contract NODULES), and the margin of the lungs.

    `is_whole`: the masks are whole volumes, which have no sides, except those of the series `whole_scans`.
    """

    subset: int
    nodules: pd.DataFrame
    margin_mm: float
    is_whole: bool
    whole_scans: frozenset[str] = frozenset()


def check_volumes(
    scans: Sequence[ScanFiles], folder: Path, failures: pd.DataFrame, request: QcRequest, *, threads: int = 1
) -> pd.DataFrame:
    """Return a row (contract QC) for each scan of a subset, by series: those with a volume in `folder`, and failures.

    Each thread reads the lung labels of one scan at a time (one byte per voxel).

    Args:
        failures: the scans that could not be prepared (contract FAILURES).

    Raises:
        ManifestError, VolumeError: a manifest or a store that cannot be read.
        ValueError: a scan that is neither prepared nor failed, or that is both; a failure of another scan.
    """
    entries = {entry.series_uid: entry for entry in read_manifest(Path(folder) / MANIFEST_FILE)}
    reasons = dict(zip(failures["series_uid"], failures["reason"], strict=True))
    if wrong := sorted(set(reasons) - {scan.series_uid for scan in scans} | set(reasons) & set(entries)):
        found = "one of another subset" if wrong[0] not in entries else "one that has a volume"
        raise ValueError(f"{folder}: series {wrong[0]}: expected failures of the subset's scans, found {found}")
    rows_of = request.nodules.groupby("series_uid").indices
    centers = request.nodules[list(CENTER_COLUMNS)].to_numpy(float)

    def check(scan: ScanFiles) -> dict[str, Any]:
        uid, source = scan.series_uid, scan.header_path.name
        own = centers[rows_of.get(uid, [])]
        if uid in entries:
            lungs = open_volume(Path(folder) / entries[uid].store, uid).read_lungs()
            return prepared_row(entries[uid], lungs, own, request, source=source)
        if uid not in reasons:
            raise ValueError(f"{folder}: series {uid}: expected a volume or a failure, found neither")
        return failed_row(uid, request.subset, source, num_nodules=len(own), reason=reasons[uid])

    ordered = sorted(scans, key=lambda scan: scan.series_uid)
    with ThreadPoolExecutor(threads) as pool:
        rows = list(pool.map(check, ordered))
    return QC.conform(pd.DataFrame(rows, columns=list(QC.columns)))


def prepared_row(
    entry: VolumeEntry,
    lungs: NDArray[np.uint8],
    centers_zyx_mm: NDArray[np.float64],
    request: QcRequest,
    *,
    source: str,
) -> dict[str, Any]:
    """Return the QC row of a stored volume, its lung labels (uint8, zyx) and its nodules' centres (N, 3)."""
    grid = entry.grid
    counts = count_nodules(centers_zyx_mm, grid, lambda window: window.cut(lungs, 0), request.margin_mm)
    row = qc_row(entry.series_uid, request.subset, source, counts)
    row["remarks"] = "; ".join(entry.remarks)
    measured = {"lungs_ml": entry.lungs_ml, "min_hu": float(entry.min_hu), "max_hu": float(entry.max_hu)}
    if request.is_whole and entry.series_uid not in request.whole_scans:
        return {**row, **measured}
    left_ml, right_ml = side_volumes(lungs, grid)
    return {**row, **measured, "left_lung_ml": round(left_ml, 3), "right_lung_ml": round(right_ml, 3)}


def count_nodules(
    centers_zyx_mm: NDArray[np.float64], grid: Grid, read_lungs: ReadLungs, margin_mm: float
) -> dict[str, int]:
    """Count nodules (centres (N, 3), world zyx mm) in all, outside the volume and outside the dilated lungs.

    A nodule is outside the lungs if no lung voxel is within `margin_mm` of the voxel nearest to the nodule's centre.
    """
    is_inside = grid.contains(centers_zyx_mm).reshape(-1)
    is_in_lungs = [near_lungs(center, grid, read_lungs, margin_mm) for center in centers_zyx_mm[is_inside]]
    return {
        "num_nodules": len(centers_zyx_mm),
        "num_nodules_outside_volume": int((~is_inside).sum()),
        "num_nodules_outside_lungs": len(centers_zyx_mm) - sum(is_in_lungs),
    }


def near_lungs(center_zyx_mm: NDArray[np.float64], grid: Grid, read_lungs: ReadLungs, margin_mm: float) -> bool:
    """Return whether a lung voxel is within `margin_mm` of the voxel nearest to a centre."""
    spacing = np.asarray(grid.spacing_zyx_mm)
    reach = np.floor(margin_mm / spacing).astype(int)
    nearest = np.round(grid.to_index(center_zyx_mm))
    window = window_around(nearest, (int(2 * reach[0] + 1), int(2 * reach[1] + 1), int(2 * reach[2] + 1)))
    offsets = np.argwhere(read_lungs(window) != 0) - reach
    return bool((np.square(offsets * spacing).sum(axis=1) <= margin_mm**2).any())


def qc_row(series_uid: str, subset: int, source: str, counts: dict[str, int]) -> dict[str, Any]:
    """Return the row of a scan that was prepared, still without lungs and HU range."""
    empty = {name: float("nan") for name, column in QC.columns.items() if column.is_nullable}
    row = {"series_uid": series_uid, "subset": subset, "is_ok": True, "reason": "", "remarks": "", "source": source}
    return {**row, **counts, **empty}


def failed_row(series_uid: str, subset: int, source: str, *, num_nodules: int, reason: str) -> dict[str, Any]:
    """Return the row of a scan that could not be prepared: all its nodules count as outside."""
    names = ("num_nodules", "num_nodules_outside_volume", "num_nodules_outside_lungs")
    row = qc_row(series_uid, subset, source, dict.fromkeys(names, num_nodules))
    return {**row, "is_ok": False, "reason": reason}
