"""Choose findings for the montage: hits and false positives of highest probability, largest misses."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from lungpipe.geometry import radius_mm
from lungpipe.tables import CENTER_COLUMNS

Kind = Literal["hits", "misses", "false_positives"]


@dataclass(frozen=True, slots=True)
class Example:
    """One finding to show: position (world, LPS mm), diameter in mm, and probability (None: no mark)."""

    series_uid: str
    center_zyx_mm: tuple[float, float, float]
    diameter_mm: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Examples:
    """The chosen findings of one kind, and the number of all findings of that kind."""

    kind: Kind
    shown: tuple[Example, ...]
    num_all: int


def pick_examples(matches: pd.DataFrame, limit: int) -> tuple[Examples, Examples, Examples]:
    """Return hits and false positives by falling probability, and misses by falling diameter, `limit` of each.

    `matches` (contract MATCHES) has a diameter for every mark. Hits and misses are annotated nodules with their
    annotated diameter; a false positive has the diameter of its mark.
    """
    nodules, marks = (matches[matches["kind"] == kind] for kind in ("nodule", "mark"))
    return (
        _first("hits", nodules[nodules["fate"] == "hit"], "probability", limit),
        _first("misses", nodules[nodules["fate"] == "miss"], "diameter_mm", limit),
        _first("false_positives", marks[marks["fate"] == "false_positive"], "probability", limit),
    )


def _first(kind: Kind, rows: pd.DataFrame, column: str, limit: int) -> Examples:
    ranked = rows.sort_values(column, ascending=False, kind="stable").head(limit)
    return Examples(kind, tuple(_example(row) for _, row in ranked.iterrows()), len(rows))


def _example(row: pd.Series) -> Example:
    z, y, x = (float(row[name]) for name in CENTER_COLUMNS)
    probability = None if pd.isna(row["probability"]) else float(row["probability"])
    return Example(str(row["series_uid"]), (z, y, x), 2.0 * float(radius_mm(row["diameter_mm"])), probability)
