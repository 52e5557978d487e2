"""Choose findings for the montage: hits and false positives of highest probability, largest misses."""

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from lungpipe.geometry import radius_mm
from lungpipe.tables import CENTER_COLUMNS

Kind = Literal["hits", "misses", "false_positives"]
NUM_PICTURES = 8
"""Findings of each kind in the galleries of the page."""


@dataclass(frozen=True, slots=True)
class Example:
    """One finding to show: position (world, LPS mm), diameter in mm, and probability (None: no mark).

    A hit nodule also has the centre and the diameter (NaN: unknown) of the mark that hits the nodule.
    """

    series_uid: str
    center_zyx_mm: tuple[float, float, float]
    diameter_mm: float
    probability: float | None
    mark_center_zyx_mm: tuple[float, float, float] | None = None
    mark_diameter_mm: float = float("nan")

    @property
    def candidate_zyx_mm(self) -> tuple[float, float, float]:
        """Centre of the candidate; that of the annotation for a nodule that was missed."""
        return self.mark_center_zyx_mm or self.center_zyx_mm


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
    by_row = marks.set_index("row")
    chosen = (
        _first("hits", nodules[nodules["fate"] == "hit"], "probability", limit),
        _first("misses", nodules[nodules["fate"] == "miss"], "diameter_mm", limit),
        _first("false_positives", marks[marks["fate"] == "false_positive"], "probability", limit),
    )
    hits, misses, false_positives = (
        Examples(kind, tuple(_example(row, by_row) for _, row in rows.iterrows()), num_all)
        for kind, rows, num_all in chosen
    )
    return hits, misses, false_positives


def _first(kind: Kind, rows: pd.DataFrame, column: str, limit: int) -> tuple[Kind, pd.DataFrame, int]:
    return kind, rows.sort_values(column, ascending=False, kind="stable").head(limit), len(rows)


def _example(row: pd.Series, marks: pd.DataFrame) -> Example:
    probability = None if pd.isna(row["probability"]) else float(row["probability"])
    example = Example(str(row["series_uid"]), _center(row), 2.0 * float(radius_mm(row["diameter_mm"])), probability)
    if row["kind"] != "nodule" or row["fate"] != "hit":
        return example
    mark = marks.loc[row["partner_row"]]
    return replace(example, mark_center_zyx_mm=_center(mark), mark_diameter_mm=float(mark["diameter_mm"]))


def _center(row: pd.Series) -> tuple[float, float, float]:
    z, y, x = (float(row[name]) for name in CENTER_COLUMNS)
    return z, y, x
