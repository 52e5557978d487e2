"""The QC row of a scan: whether it was prepared, why not, and whether its nodules lie in volume and lungs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid, Window, window_around
from lungpipe.lungs.measures import side_volumes
from lungpipe.preparation.volume import ScanTask, digest
from lungpipe.tables import QC
from lungpipe.volumes.manifest import VolumeEntry

ReadLungs = Callable[[Window], NDArray[Any]]


def make_row(task: ScanTask, entry: VolumeEntry, lungs: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the QC row of a stored volume and its lung labels (uint8, zyx)."""
    grid = entry.grid
    counts = count_nodules(task.centers_zyx_mm, grid, lambda window: window.cut(lungs, 0), task.settings.lung_margin_mm)
    row = qc_row(entry.series_uid, task.subset, task.scan.header_path.name, counts)
    row["remarks"] = "; ".join(entry.remarks)
    measured = {"lungs_ml": entry.lungs_ml, "min_hu": float(entry.min_hu), "max_hu": float(entry.max_hu)}
    if task.settings.lung_mask == "whole":
        return {**row, **measured}  # such a mask has no sides
    left_ml, right_ml = side_volumes(lungs, grid)
    return {**row, **measured, "left_lung_ml": round(left_ml, 3), "right_lung_ml": round(right_ml, 3)}


def digest_row_inputs(task: ScanTask) -> str:
    """Return the SHA-256 of what the QC row depends on beside the volume: nodules, margin, subset, file name, code."""
    centers = task.centers_zyx_mm.tolist()
    return digest([centers, task.settings.lung_margin_mm, task.subset, task.scan.header_path.name, task.row_code])


def make_failed_row(task: ScanTask, reason: str) -> dict[str, Any]:
    """Return the QC row of a scan that could not be prepared."""
    name = task.scan.header_path.name
    num_nodules = len(task.centers_zyx_mm)
    return failed_row(task.scan.series_uid, task.subset, name, num_nodules=num_nodules, reason=reason)


def count_nodules(
    centers_zyx_mm: NDArray[np.float64], grid: Grid, read_lungs: ReadLungs, margin_mm: float
) -> dict[str, int]:
    """Count nodules (centres (N, 3), world zyx mm) in all, outside the volume and outside the dilated lungs.

    A nodule is outside the lungs when no lung voxel lies within `margin_mm` of the voxel nearest to its centre.
    """
    is_inside = grid.contains(centers_zyx_mm).reshape(-1)
    is_in_lungs = [near_lungs(center, grid, read_lungs, margin_mm) for center in centers_zyx_mm[is_inside]]
    return {
        "num_nodules": len(centers_zyx_mm),
        "num_nodules_outside_volume": int((~is_inside).sum()),
        "num_nodules_outside_lungs": len(centers_zyx_mm) - sum(is_in_lungs),
    }


def near_lungs(center_zyx_mm: NDArray[np.float64], grid: Grid, read_lungs: ReadLungs, margin_mm: float) -> bool:
    """Tell whether a lung voxel lies within `margin_mm` of the voxel nearest to a centre."""
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
    """Return the row of a scan that could not be prepared: all of its nodules are lost."""
    names = ("num_nodules", "num_nodules_outside_volume", "num_nodules_outside_lungs")
    row = qc_row(series_uid, subset, source, dict.fromkeys(names, num_nodules))
    return {**row, "is_ok": False, "reason": reason}
