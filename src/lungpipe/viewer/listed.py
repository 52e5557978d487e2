"""Candidates of one series from a CSV in LUNA16's columns, as `predict`, `detect`, `score` or a study write it."""

import math
from pathlib import Path

import pandas as pd

from lungpipe.evaluation.submission import read_positions
from lungpipe.geometry import Grid
from lungpipe.geometry.slices import slice_number
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.csv_input import parse_number, read_texts
from lungpipe.viewer.scene import Mark

MAX_MARKS = 500
"""A longer table is of no use to a reader; a study's submission may have thousands of candidates for each scan."""
_MORE = ("number", "malignancy", "side")
"""Columns of `predict` that other programs do not write; cells may be empty."""


def read_marks(path: Path, series_uid: str, scan_grid: Grid) -> tuple[tuple[Mark, ...], int]:
    """Return the candidates of a series, most probable first, and the number of rows of all series.

    At most `MAX_MARKS` candidates are returned. Without a column `number` they are numbered in this order.

    Raises:
        InputError: naming file, row and column.
    """
    table = read_positions(Path(path))
    more = read_texts(Path(path), ("seriesuid",), _MORE)
    table = table.join(more.drop(columns=["seriesuid", "line"]))
    own = table[table["series_uid"] == series_uid]
    if "probability" in own:
        own = own.sort_values("probability", ascending=False, kind="stable")
    rows = enumerate(own.head(MAX_MARKS).to_dict("records"), start=1)
    return tuple(_mark(row, rank, scan_grid) for rank, row in rows), len(table)


def _mark(row: dict[str, object], rank: int, scan_grid: Grid) -> Mark:
    z, y, x = (float(str(row[name])) for name in CENTER_COLUMNS)
    return Mark(
        number=int(_number(row, "number") or rank),
        center_zyx_mm=(z, y, x),
        slice_number=slice_number(scan_grid, (z, y, x)),
        probability=_number(row, "probability"),
        diameter_mm=_number(row, "diameter_mm"),
        malignancy=_number(row, "malignancy"),
        side=str(row["side"]) if row.get("side") else None,
    )


def _number(row: dict[str, object], name: str) -> float | None:
    value = row.get(name)
    if value is None or pd.isna(value) or value == "":
        return None
    found = parse_number(str(value))
    return abs(found) if math.isfinite(found) else None
