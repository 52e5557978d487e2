"""Sensitivity within groups of nodules or scans, and the errors of hits in position and diameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.froc import froc_curve, sensitivity_at
from lungpipe.evaluation.matching import Fate, Matches
from lungpipe.geometry import radius_mm
from lungpipe.tables import CENTER_COLUMNS

FloatArray = NDArray[np.float64]

DIAMETER_EDGES_MM = (6.0, 8.0, 15.0)
"""Edges of the diameter bins (the size classes of solid nodules in Lung-RADS v2022)."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A group of nodules: how many, how many hit by any mark, and the sensitivity at the official rates."""

    name: str
    num_scans: int
    num_nodules: int
    num_hit: int
    sensitivity: tuple[float, ...]
    cpm: float


def diameter_bin_names(edges_mm: Sequence[float] = DIAMETER_EDGES_MM) -> list[str]:
    """Return the names of the diameter bins, smallest first."""
    between = [f"{low:g} to {high:g} mm" for low, high in pairwise(edges_mm)]
    return [f"< {edges_mm[0]:g} mm", *between, f">= {edges_mm[-1]:g} mm"]


def diameter_bins(diameter_mm: ArrayLike, edges_mm: Sequence[float] = DIAMETER_EDGES_MM) -> list[str]:
    """Return the name of each diameter's bin; a bin holds its lower edge, a negative diameter means 10 mm."""
    names = diameter_bin_names(edges_mm)
    return [names[place] for place in np.digitize(2.0 * radius_mm(diameter_mm), edges_mm)]


def num_readers(ratings: Sequence[str | None]) -> list[str | None]:
    """Return how many readers rated each nodule ('4;5;3' -> '3 readers'), None where ratings are missing."""
    numbers = [len(text.split(";")) if isinstance(text, str) and text else 0 for text in ratings]
    return [f"{number} reader{'s' * (number > 1)}" if number else None for number in numbers]


def texture(ratings: Sequence[str | None]) -> list[str | None]:
    """Return the texture by the readers' median (LIDC-IDRI: 1 non-solid, 3 part-solid, 5 solid), None where missing."""
    names: list[str | None] = []
    for text in ratings:
        if not isinstance(text, str) or not text:
            names.append(None)
            continue
        middle = float(np.median([float(part) for part in text.split(";")]))
        names.append("non-solid" if middle <= 2 else "part-solid" if middle < 4 else "solid")
    return names


def by_nodule_group(matches: Matches, group: Sequence[str | None], order: Sequence[str] | None = None) -> list[Stratum]:
    """Return the strata of nodules named by `group` (one name per nodule, None: no stratum), in `order` or by name.

    False positives are those of all scans, so rates are comparable between strata.
    """
    names = np.asarray([name or "" for name in group])
    found = order or sorted(set(names.tolist()) - {""})
    strata = [_stratum(name, only_nodules(matches, names == name)) for name in found]
    return [stratum for stratum in strata if stratum.num_nodules]


def by_scan_group(matches: Matches, group_of: Mapping[str, str]) -> list[Stratum]:
    """Return the strata of scans named by `group_of` (series to name): nodules, false positives and scans of each."""
    names = np.asarray([group_of.get(uid, "") for uid in matches.series_uids])
    return [_stratum(name, only_scans(matches, names == name)) for name in sorted(set(names.tolist()) - {""})]


def only_nodules(matches: Matches, is_in: NDArray[np.bool_]) -> Matches:
    """Return the matches of some nodules; marks that hit other nodules are not counted as false positives."""
    return replace(
        matches,
        nodule_scan=np.where(is_in, matches.nodule_scan, -1),
        nodule_mark=np.where(is_in, matches.nodule_mark, -1),
        nodule_num_marks=np.where(is_in, matches.nodule_num_marks, 0),
    )


def only_scans(matches: Matches, is_in: NDArray[np.bool_]) -> Matches:
    """Return the matches of a part of the listed scans."""
    new_index = np.append(np.where(is_in, np.cumsum(is_in) - 1, -1), -1)
    nodule_scan, mark_scan = new_index[matches.nodule_scan], new_index[matches.mark_scan]
    inside = only_nodules(matches, nodule_scan >= 0)
    return replace(
        inside,
        series_uids=tuple(uid for uid, kept in zip(matches.series_uids, is_in, strict=True) if kept),
        nodule_scan=nodule_scan,
        mark_scan=mark_scan,
        mark_fate=np.where(mark_scan >= 0, matches.mark_fate, int(Fate.UNKNOWN_SERIES)),
    )


def localisation(matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame) -> dict[str, float | list[float]] | None:
    """Return the distances (mm) from nodule centre to mark over all hits, and the mean offset; None without hits.

    A mean offset away from zero shows a systematic shift, such as half a voxel.
    """
    hit = np.flatnonzero(matches.nodule_mark >= 0)
    if not len(hit):
        return None
    columns = list(CENTER_COLUMNS)
    offset = marks[columns].to_numpy()[matches.nodule_mark[hit]] - nodules[columns].to_numpy()[hit]
    distance = matches.nodule_distance_mm[hit]
    return {
        "mean_mm": float(distance.mean()),
        "median_mm": float(np.median(distance)),
        "percentile95_mm": float(np.percentile(distance, 95)),
        "mean_offset_zyx_mm": [float(value) for value in offset.mean(axis=0)],
    }


def diameter_error(matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame) -> dict[str, float] | None:
    """Return the errors (mm) of the hits' diameters; None without hits or without diameters in the marks."""
    hit = np.flatnonzero((matches.nodule_mark >= 0) & (nodules["diameter_mm"].to_numpy() >= 0))
    if not len(hit) or "diameter_mm" not in marks.columns:
        return None
    found = marks["diameter_mm"].to_numpy(dtype=np.float64)[matches.nodule_mark[hit]]
    if np.isnan(found).any():
        return None
    error = found - nodules["diameter_mm"].to_numpy(dtype=np.float64)[hit]
    absolute = np.abs(error)
    return {
        "mean_mm": float(error.mean()),
        "mean_absolute_mm": float(absolute.mean()),
        "median_absolute_mm": float(np.median(absolute)),
    }


def _stratum(name: str, matches: Matches) -> Stratum:
    sensitivity = sensitivity_at(froc_curve(matches))
    return Stratum(
        name,
        matches.num_scans,
        matches.num_nodules,
        int((matches.nodule_mark >= 0).sum()),
        tuple(float(value) for value in sensitivity),
        float(sensitivity.mean()),
    )
