"""Warnings about protocol errors, such as a missing exclusion list, that change the CPM but not the detector."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.datasets.annotations import LARGEST_DIAMETER_MM, SAME_CENTER_MM
from lungpipe.evaluation.matching import MAX_MARKS_PER_SCAN, Fate, Matches, rows_by_scan
from lungpipe.geometry import hits
from lungpipe.tables import CENTER_COLUMNS

FloatArray = NDArray[np.float64]

_COLUMNS = list(CENTER_COLUMNS)
_MANY = 0.1
"""from this share of listed scans without a mark on, the submission may cover only a part of the list"""
_FEW = 0.25
"""Below this share of listed scans with a finding, the findings may be those of a part of the list (LUNA16: 1)."""


def protocol_warnings(
    marks: pd.DataFrame, nodules: pd.DataFrame, exclusions: pd.DataFrame | None, matches: Matches
) -> list[str]:
    """Return one warning per suspected error; each starts with its code and a colon."""
    return [
        *_scans(matches, marks, nodules),
        *_annotated(matches, nodules, exclusions),
        *_probabilities(marks),
        *_cut(matches),
        *_doubles(marks),
        *_coordinates(matches, marks, nodules),
        *_nodules(nodules),
        *([] if exclusions is not None else [_NO_EXCLUSIONS]),
    ]


MISSING_SERIES_LIST = (
    "missing_series_list: no list of scans was given; the scans that the files name were taken, so that scans without "
    "nodules, findings and marks do not divide the false positives: not an official LUNA16 result"
)
_NO_EXCLUSIONS = (
    "missing_exclusions: no list of excluded findings was given, so that marks on them count as false positives: "
    "not an official LUNA16 result"
)


def _scans(matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame) -> Iterator[str]:
    num_scans = matches.num_scans
    silent = np.setdiff1d(np.arange(num_scans), matches.mark_scan)
    if len(silent):
        yield (
            f"scans_without_predictions: {len(silent)} of {num_scans} listed scans have no mark (their nodules count "
            f"as missed, and they divide the false positives): {_some([matches.series_uids[i] for i in silent])}"
        )
    if len(silent) > _MANY * num_scans:
        yield (
            f"fewer_scans: the submission covers {num_scans - len(silent)} scans, the list {num_scans}; if it is one "
            "fold, evaluate it with the list of that fold's scans"
        )
    for name, table, scan in (("marks", marks, matches.mark_scan), ("nodules", nodules, matches.nodule_scan)):
        unknown = np.flatnonzero(scan < 0)
        if len(unknown):
            series = table["series_uid"].iloc[unknown].unique().tolist()
            yield (
                f"unknown_series: {len(unknown)} {name} of {len(series)} series that are not in the list of scans "
                f"were left out: {_some(series)}"
            )
    if not matches.num_nodules:
        yield "no_nodules: the listed scans have no nodule, so that sensitivity and CPM are not defined"


def _annotated(matches: Matches, nodules: pd.DataFrame, exclusions: pd.DataFrame | None) -> Iterator[str]:
    """Warn of a list of which the findings name few scans: annotations of a subset, and the list of all."""
    tables = [nodules] if exclusions is None else [nodules, exclusions]
    named = set().union(*(table["series_uid"] for table in tables)).intersection(matches.series_uids)
    if 0 < len(named) < _FEW * matches.num_scans:
        yield (
            f"few_annotated_scans: the annotations and excluded findings name {len(named)} of {matches.num_scans} "
            "listed scans; if they are those of a part of the list, evaluate with the list of that part"
        )


def _probabilities(marks: pd.DataFrame) -> Iterator[str]:
    probability = marks["probability"].to_numpy(dtype=np.float64)
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        yield (
            f"probability_range: {int(outside.sum())} probabilities lie outside [0, 1], from {probability.min():g} to "
            f"{probability.max():g}; only their order counts"
        )
    if len(probability) > 1 and (probability == probability[0]).all():
        yield f"constant_scores: every mark has the probability {probability[0]:g}: the curve has one step"


def _cut(matches: Matches) -> Iterator[str]:
    """Warn of ties at the cap: scans of which fewer marks are kept than the cap allows."""
    num_marks = np.bincount(matches.mark_scan[matches.mark_scan >= 0], minlength=matches.num_scans)
    over = (matches.mark_fate == Fate.OVER_CAP) & (matches.mark_scan >= 0)
    num_lost = np.bincount(matches.mark_scan[over], minlength=matches.num_scans)
    num_kept = num_marks - num_lost
    tied = np.flatnonzero((num_lost > 0) & (num_kept < MAX_MARKS_PER_SCAN))
    if len(tied):
        lost = int((MAX_MARKS_PER_SCAN - num_kept[tied]).sum())
        yield (
            f"ties_at_cut: in {len(tied)} scans with more than {MAX_MARKS_PER_SCAN} marks the 100th and the 101st "
            f"highest probability are equal; the official rule drops every mark of that probability, {lost} more than "
            f"the cap asks for: {_some([matches.series_uids[i] for i in tied])}"
        )


def _doubles(marks: pd.DataFrame) -> Iterator[str]:
    doubled = marks.duplicated(["series_uid", *_COLUMNS]).to_numpy()
    if doubled.any():
        yield (
            f"duplicate_rows: {int(doubled.sum())} marks repeat series and position of an earlier one (the first such "
            f"row is {int(np.argmax(doubled)) + 1}); repeated false positives count every time"
        )


def _nodules(nodules: pd.DataFrame) -> Iterator[str]:
    """Warn of annotations that repeat or have an impossible diameter; each counts in the sensitivity."""
    centers, diameters = nodules[_COLUMNS].to_numpy(dtype=np.float64), nodules["diameter_mm"].to_numpy(dtype=np.float64)
    doubled = _repeated(nodules["series_uid"], centers)
    if len(doubled):
        yield (
            f"duplicate_nodules: {len(doubled)} annotations lie within {SAME_CENTER_MM:g} mm of an earlier one of the "
            f"same scan (the first such row is {doubled.min() + 1}); each counts as a nodule of its own"
        )
    negative = np.flatnonzero(diameters < 0)
    if len(negative):
        yield (
            f"excluded_among_annotations: {len(negative)} annotations have a negative diameter, as excluded findings "
            f"have (the first such row is {negative[0] + 1}); each counts as a nodule of 10 mm"
        )
    strange = np.flatnonzero((diameters == 0) | (diameters > LARGEST_DIAMETER_MM))
    if len(strange):
        yield (
            f"diameter_range: {len(strange)} annotations have a diameter of 0 or above {LARGEST_DIAMETER_MM:g} mm (row "
            f"{strange[0] + 1}: {diameters[strange[0]]:g} mm); no mark hits a nodule of 0 mm, any mark one of metres"
        )


def _repeated(series_uids: pd.Series, centers: FloatArray) -> NDArray[np.intp]:
    """Return the rows whose centre is close to that of an earlier row of the same scan."""
    scans = pd.factorize(series_uids)[0]
    order = np.argsort(scans, kind="stable")
    scans, centers = scans[order], centers[order]
    doubled = np.zeros(len(order), dtype=bool)
    # rows of one scan follow each other: each is compared with the row before, then with the second row before, ...
    for step in range(1, np.bincount(scans, minlength=1).max()):
        is_same = scans[step:] == scans[:-step]
        doubled[step:] |= is_same & (np.linalg.norm(centers[step:] - centers[:-step], axis=1) <= SAME_CENTER_MM)
    return order[doubled]


def _coordinates(matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame) -> Iterator[str]:
    """Warn of voxel indices (never negative), and of mirrored or swapped axes, on which marks hit once corrected."""
    counted, listed = matches.mark_fate >= Fate.HIT, matches.nodule_scan >= 0
    points = marks[_COLUMNS].to_numpy(dtype=np.float64)[counted]
    centers = nodules[_COLUMNS].to_numpy(dtype=np.float64)[listed]
    if not len(points) or not len(centers):
        return
    if (points >= 0).all(axis=1).mean() >= 0.99 and (centers >= 0).all(axis=1).mean() < 0.5:
        yield (
            "voxel_coordinates: no mark has a negative coordinate, most annotations have: these look like voxel "
            "indices, expected world coordinates in mm"
        )
    diameters = nodules["diameter_mm"].to_numpy(dtype=np.float64)[listed]
    marks_of = rows_by_scan(matches.mark_scan[counted], matches.num_scans)
    nodules_of = rows_by_scan(matches.nodule_scan[listed], matches.num_scans)

    def num_found(moved: FloatArray) -> int:
        return sum(
            int(hits(moved[rows], centers[inside], diameters[inside]).any(axis=0).sum())
            for rows, inside in zip(marks_of, nodules_of, strict=True)
            if len(rows) and len(inside)
        )

    as_given = num_found(points)
    for code, what, moved in (
        ("ras_coordinates", "x and y negated (RAS instead of LPS)", points * [1.0, -1.0, -1.0]),
        ("axis_order", "x and z exchanged", points[:, ::-1]),
    ):
        found = num_found(moved)
        if found > 2 * as_given + 1:
            yield f"{code}: the marks lie in {as_given} nodules as given, but in {found} with {what}"


def _some(names: Sequence[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
