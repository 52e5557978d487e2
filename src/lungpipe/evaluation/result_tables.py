"""An evaluation as tables and plain data: fates of marks and nodules, the curve's corners, its band, the summary."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.froc import Froc
from lungpipe.evaluation.matching import Fate, Matches
from lungpipe.tables import CENTER_COLUMNS, Column, Contract

MATCHES = Contract(
    "matches",
    {
        "kind": Column("string", "mark or nodule"),
        "row": Column("int64", "row in the table of marks or of nodules, from 0"),
        "series_uid": Column("string", "series instance UID, never altered"),
        **{name: Column("float64", f"world {name[7]}, LPS mm") for name in CENTER_COLUMNS},
        "fate": Column(
            "string",
            "hit, ignored_double, ignored_on_excluded, false_positive, over_cap, unknown_series; of a nodule: hit, "
            "miss, unknown_series",
        ),
        "partner_row": Column(
            "int64", "of a mark: the nodule hit or doubled; of a nodule: the mark that hits it; or -1"
        ),
        "probability": Column("float64", "of the mark, or of the mark that hits the nodule", True),
        "diameter_mm": Column("float64", "of the nodule; of the mark, where its table has one", True),
        "num_marks": Column("int64", "of a nodule: marks inside; of a mark: 1"),
        "distance_mm": Column("float64", "of a hit nodule: from its centre to the mark", True),
    },
    ("kind", "row"),
)

STUDY_FILES = (
    "evaluation.json",
    "froc.csv",
    "froc_band.csv",
    "hits.csv",
    "matches.parquet",
    "patients.csv",
    "submission.csv",
)
"""The files of an evaluated study; figures and report refuse a file that was edited since."""
FILES_BESIDE = ("series.csv", "annotations.csv", "annotations_excluded.csv", "command.txt", "whole_scans.csv")
"""Files beside them that have a digest, too, if they are there when the study is written."""


def matches_table(matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame) -> pd.DataFrame:
    """Return one row per mark, then one row per nodule, in the order of the matched tables."""
    fates = np.array([fate.name.lower() for fate in Fate])
    hit = matches.nodule_mark >= 0
    probability = np.where(hit, np.append(matches.mark_probability, np.nan)[matches.nodule_mark], np.nan)
    of_marks = _rows("mark", marks).assign(
        fate=fates[matches.mark_fate],
        partner_row=matches.mark_nodule,
        probability=matches.mark_probability,
        diameter_mm=marks["diameter_mm"].to_numpy(dtype=np.float64) if "diameter_mm" in marks else np.nan,
        num_marks=1,
        distance_mm=np.nan,
    )
    of_nodules = _rows("nodule", nodules).assign(
        fate=np.select([matches.nodule_scan < 0, hit], ["unknown_series", "hit"], "miss"),
        partner_row=matches.nodule_mark,
        probability=probability,
        diameter_mm=nodules["diameter_mm"].to_numpy(dtype=np.float64),
        num_marks=matches.nodule_num_marks,
        distance_mm=matches.nodule_distance_mm,
    )
    return MATCHES.conform(pd.concat([of_marks, of_nodules], ignore_index=True))


def froc_table(froc: Froc) -> pd.DataFrame:
    """Return the corners of the curve; points on straight pieces are left out, which changes no interpolated value."""
    x, y = froc.fp_per_scan, froc.sensitivity
    # straight runs of a FROC curve are horizontal or vertical; the rare slanted ones keep all their points
    is_level = np.ones(len(x), dtype=bool)
    is_level[1:-1] = ((y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])) & ((x[1:-1] != x[:-2]) | (x[1:-1] != x[2:]))
    return pd.DataFrame({"fp_per_scan": x, "sensitivity": y, "threshold": froc.threshold})[is_level]


def band_table(rates: Sequence[float], band: NDArray[np.float64]) -> pd.DataFrame:
    """Return the interval of the sensitivity (`band`: rates x lower, upper) at false positives per scan."""
    return pd.DataFrame({"fp_per_scan": rates, "sensitivity_low": band[:, 0], "sensitivity_high": band[:, 1]})


def plain(value: Any) -> Any:
    """Return nested data for JSON: numpy scalars and arrays as numbers and lists, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rows(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    rows = table[["series_uid", *CENTER_COLUMNS]].reset_index(drop=True)
    return rows.assign(kind=kind, row=np.arange(len(table)))
