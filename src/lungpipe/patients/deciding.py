"""The nodule that decides a patient's malignancy: where the nodule is, how large, and its size class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lungpipe.geometry import Grid
from lungpipe.geometry.slices import slice_number
from lungpipe.tables import CENTER_COLUMNS

LUNG_RADS_MM = (6.0, 8.0, 15.0)
"""Edges of the size classes of solid nodules at a first scan (Lung-RADS v2022)."""
FLEISCHNER_MM = (6.0, 8.0)
"""Edges of the size classes of solid nodules; diameters are rounded to whole mm (MacMahon et al., Radiology 2017)."""
DECIDED_COLUMNS = (
    "decided_by",
    "decided_series_uid",
    *(f"decided_{name}" for name in CENTER_COLUMNS),
    "decided_slice",
    "decided_diameter_mm",
    "decided_volume_mm3",
    "decided_fleischner_size",
    "decided_lung_rads_size",
)


def find_deciding(candidates: pd.DataFrame, grids: Mapping[str, Grid] | None) -> dict[str, object]:
    """Return the columns DECIDED_COLUMNS of the candidate with the highest `risk`; all None without a known risk.

    `candidates` is the table SCORED with a column `risk`. The slice is that of the stored volume, counted from 1 (see
    `slice_number`), and None without `grids`. The volume (mm3) is that of the sphere of the diameter. Size classes are
    information, no advice: they hold for solid nodules, and readers measure another diameter than the sphere's.
    """
    known = candidates[candidates["risk"].notna()]
    if not len(known):
        return dict.fromkeys(DECIDED_COLUMNS)
    chosen = known.loc[known["risk"].idxmax()]
    center = [float(chosen[name]) for name in CENTER_COLUMNS]
    diameter = float(chosen["diameter_mm"])
    grid = None if grids is None else grids.get(str(chosen["series_uid"]))
    is_measured = np.isfinite(diameter)
    values = (
        str(chosen["candidate_id"]),
        str(chosen["series_uid"]),
        *center,
        None if grid is None else float(slice_number(grid, center)),
        diameter if is_measured else None,
        np.pi / 6 * diameter**3 if is_measured else None,
        fleischner_size(diameter) if is_measured else None,
        lung_rads_size(diameter) if is_measured else None,
    )
    return dict(zip(DECIDED_COLUMNS, values, strict=True))


def fleischner_size(diameter_mm: float) -> str:
    """Return the size class of a solid nodule of the Fleischner Society (2017): '< 6 mm', '6 to 8 mm' or '> 8 mm'."""
    whole = np.floor(diameter_mm + 0.5)
    if whole < FLEISCHNER_MM[0]:
        return "< 6 mm"
    return "6 to 8 mm" if whole <= FLEISCHNER_MM[1] else "> 8 mm"


def lung_rads_size(diameter_mm: float) -> str:
    """Return the size class of a solid nodule at a first scan in Lung-RADS v2022, for instance '6 to < 8 mm'."""
    low, middle, high = LUNG_RADS_MM
    if diameter_mm < low:
        return "< 6 mm"
    if diameter_mm < middle:
        return "6 to < 8 mm"
    return "8 to < 15 mm" if diameter_mm < high else ">= 15 mm"
