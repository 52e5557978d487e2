"""Match marks with nodules by the official LUNA16 rules: the fate of every mark and every nodule.

Written from the rules of the LUNA16 challenge (Setio et al., Med Image Anal 2017, and its evaluation script).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.geometry import hits
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.errors import InputError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MAX_MARKS_PER_SCAN = 100


class Fate(IntEnum):
    """The fate of a mark."""

    UNKNOWN_SERIES = 0
    """its series is not in the list"""
    OVER_CAP = 1
    """not strictly above its scan's 101st highest probability"""
    HIT = 2
    """the highest mark of at least one nodule"""
    IGNORED_DOUBLE = 3
    """inside a nodule that has a higher mark"""
    IGNORED_ON_EXCLUDED = 4
    """in no nodule, but on an excluded finding"""
    FALSE_POSITIVE = 5
    """in no nodule and on no excluded finding"""


@dataclass(frozen=True, slots=True)
class Matches:
    """The outcome of a matching; arrays with `mark_` follow the marks' rows, those with `nodule_` the nodules' rows.

    Scans are indices into `series_uids`, -1 for a series that is not listed (such nodules do not count).
    `mark_nodule` is the nodule that a mark hits or doubles, else -1; `nodule_mark` the mark that hits, -1 for a miss;
    `nodule_num_marks` the number of marks inside; `nodule_distance_mm` from centre to mark, NaN for a miss.
    """

    series_uids: tuple[str, ...]
    mark_scan: IntArray
    mark_probability: FloatArray
    mark_fate: IntArray
    mark_nodule: IntArray
    nodule_scan: IntArray
    nodule_mark: IntArray
    nodule_num_marks: IntArray
    nodule_distance_mm: FloatArray

    @property
    def num_scans(self) -> int:
        """Number of listed scans, by which false positives are divided."""
        return len(self.series_uids)

    @property
    def num_nodules(self) -> int:
        """Nodules of the listed scans, hit or missed."""
        return int((self.nodule_scan >= 0).sum())

    def counts(self) -> dict[str, int]:
        """Return the official counts; a mark inside two nodules counts in both, as hit or as double."""
        fates = np.bincount(self.mark_fate, minlength=len(Fate))
        true_positives = int((self.nodule_mark >= 0).sum())
        return {
            "num_scans": self.num_scans,
            "num_nodules": self.num_nodules,
            "num_candidates": int(fates[Fate.HIT :].sum()),
            "true_positives": true_positives,
            "false_positives": int(fates[Fate.FALSE_POSITIVE]),
            "false_negatives": self.num_nodules - true_positives,
            "ignored_on_excluded": int(fates[Fate.IGNORED_ON_EXCLUDED]),
            "ignored_double": int(np.maximum(self.nodule_num_marks - 1, 0).sum()),
        }


def match(
    marks: pd.DataFrame, nodules: pd.DataFrame, exclusions: pd.DataFrame | None, series_uids: Sequence[str]
) -> Matches:
    """Match marks (series_uid, center_*_mm, probability) with nodules and exclusions (center_*_mm, diameter_mm).

    Raises:
        InputError: a series that is listed twice, or a number that is not finite.
    """
    listed = pd.Index(list(series_uids), dtype="str")
    if not listed.is_unique or listed.empty:
        raise InputError(f"list of series: expected different series, found {listed[listed.duplicated()].tolist()}")
    mark_scan, points, probability = _numbers(marks, listed, "marks", "probability")
    nodule_scan, centers, diameters = _numbers(nodules, listed, "nodules", "diameter_mm")
    is_kept = keep_highest(mark_scan, probability, len(listed))
    matches = Matches(
        series_uids=tuple(listed),
        mark_scan=mark_scan,
        mark_probability=probability,
        mark_fate=np.select([mark_scan < 0, ~is_kept], [Fate.UNKNOWN_SERIES, Fate.OVER_CAP], Fate.FALSE_POSITIVE),
        mark_nodule=np.full(len(marks), -1),
        nodule_scan=nodule_scan,
        nodule_mark=np.full(len(nodules), -1),
        nodule_num_marks=np.zeros(len(nodules), dtype=np.int64),
        nodule_distance_mm=np.full(len(nodules), np.nan),
    )
    kept = np.flatnonzero(is_kept)
    by_scan = rows_by_scan(mark_scan[kept], len(listed))
    for scan, rows in enumerate(rows_by_scan(nodule_scan, len(listed))):
        counted = kept[by_scan[scan]]
        if len(rows) and len(counted):
            _match_nodules(matches, counted, rows, hits(points[counted], centers[rows], diameters[rows]))
    if exclusions is not None:
        _match_exclusions(matches, points, _numbers(exclusions, listed, "exclusions", "diameter_mm"))
    hit = np.flatnonzero(matches.nodule_mark >= 0)
    offsets = points[matches.nodule_mark[hit]] - centers[hit]
    matches.nodule_distance_mm[hit] = np.sqrt(np.square(offsets).sum(axis=1))
    return matches


def named_series(*tables: pd.DataFrame | None) -> list[str]:
    """Return every series that any of the tables names, in order of first appearance."""
    return list(dict.fromkeys(uid for table in tables if table is not None for uid in table["series_uid"].unique()))


def keep_highest(scan: IntArray, probability: FloatArray, num_scans: int) -> NDArray[np.bool_]:
    """Return which marks count: all of a scan with at most 100 marks, else those strictly above the 101st highest."""
    order = np.lexsort((-probability, scan))
    starts = np.searchsorted(scan[order], np.arange(num_scans))
    ends = np.searchsorted(scan[order], np.arange(num_scans), side="right")
    cut = np.full(num_scans, -np.inf)
    is_capped = ends - starts > MAX_MARKS_PER_SCAN
    cut[is_capped] = probability[order[starts[is_capped] + MAX_MARKS_PER_SCAN]]
    kept: NDArray[np.bool_] = (scan >= 0) & (probability > cut[scan])
    return kept


def _match_nodules(matches: Matches, marks: IntArray, nodules: IntArray, inside: NDArray[np.bool_]) -> None:
    """Fill in one scan: `inside` (marks, nodules). Equal probabilities: the first mark in the file is the hit."""
    is_used, is_found = inside.any(axis=1), inside.any(axis=0)
    best = np.where(inside, matches.mark_probability[marks][:, None], -np.inf).argmax(axis=0)
    matches.nodule_num_marks[nodules] = inside.sum(axis=0)
    matches.nodule_mark[nodules[is_found]] = marks[best[is_found]]
    matches.mark_nodule[marks[is_used]] = nodules[inside[is_used].argmax(axis=1)]
    # in reverse, so that of several nodules hit by one mark the first in the file is named
    matches.mark_nodule[marks[best[is_found]][::-1]] = nodules[is_found][::-1]
    matches.mark_fate[marks[is_used]] = Fate.IGNORED_DOUBLE
    matches.mark_fate[marks[best[is_found]]] = Fate.HIT


def _match_exclusions(
    matches: Matches, points: FloatArray, exclusions: tuple[IntArray, FloatArray, FloatArray]
) -> None:
    """Change false positives on excluded findings to ignored marks."""
    scans, centers, diameters = exclusions
    free = np.flatnonzero(matches.mark_fate == Fate.FALSE_POSITIVE)
    by_scan = rows_by_scan(matches.mark_scan[free], matches.num_scans)
    for scan, rows in enumerate(rows_by_scan(scans, matches.num_scans)):
        marks = free[by_scan[scan]]
        if len(rows) and len(marks):
            is_on = hits(points[marks], centers[rows], diameters[rows]).any(axis=1)
            matches.mark_fate[marks[is_on]] = Fate.IGNORED_ON_EXCLUDED


def rows_by_scan(scan: IntArray, num_scans: int) -> list[IntArray]:
    """Return the rows of every scan, in file order."""
    order = np.argsort(scan, kind="stable")
    edges = np.searchsorted(scan[order], np.arange(num_scans + 1))
    return [order[a:b] for a, b in pairwise(edges)]


def _numbers(table: pd.DataFrame, listed: pd.Index, name: str, column: str) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return scan index, centre (rows, zyx mm) and one more column of a table."""
    numbers = table[[*CENTER_COLUMNS, column]].to_numpy(dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        row, place = wrong[0]
        found = f"found {numbers[row, place]} in row {row} of column {[*CENTER_COLUMNS, column][place]}"
        raise InputError(f"{name}: expected finite numbers, {found}")
    scan = listed.get_indexer(pd.Index(table["series_uid"], dtype="str")).astype(np.int64)
    return scan, numbers[:, :3], numbers[:, 3]
