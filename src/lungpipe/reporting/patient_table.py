"""The table of patients: what was found in each, without identifiers."""

import numpy as np
import pandas as pd

from lungpipe.patients.aggregate import COUNTED_PROBABILITY
from lungpipe.reporting.page_tables import Table
from lungpipe.reporting.wording import UNDEFINED, number

HEADINGS = (
    "Patient",
    "Fold",
    "Scans",
    "Nodules",
    "Found",
    "Missed",
    "False positives",
    "Malignancy",
    "Label",
    "Deciding diameter, mm",
    "Slice",
    "Size class",
    "Remark",
)
_LABELS = {1.0: "malignant", 0.0: "benign"}


def patients_table(patients: pd.DataFrame, matches: pd.DataFrame, series: pd.DataFrame) -> Table:
    """Return one row per patient of patients.csv, in its order; the number of a patient is the row, from 1.

    `matches` has contract MATCHES, `series` contract SERIES. False positives are counted from a probability of
    COUNTED_PROBABILITY.
    """
    counts = _counts(matches, series)
    rows = []
    for place, row in enumerate(patients.to_dict("records"), start=1):
        found = counts.get((row["patient_id"], row["fold"]), {})
        nodules = found.get("hit", 0) + found.get("miss", 0)
        numbers = (row["num_scans"], nodules, found.get("hit", 0), found.get("miss", 0), found.get("false_positive", 0))
        rows.append(
            (
                str(place),
                str(row["fold"]),
                *map(str, numbers),
                _number(row["malignancy"], 3),
                _LABELS.get(row["is_malignant"], "unknown"),
                _number(row["decided_diameter_mm"], 1),
                _number(row["decided_slice"], 0),
                _text(row["decided_fleischner_size"]),
                "" if pd.isna(row["remark"]) else str(row["remark"]),
            )
        )
    return Table(f"Patients of the evaluated folds (n = {len(rows)})", HEADINGS, tuple(rows))


def _counts(matches: pd.DataFrame, series: pd.DataFrame) -> dict[tuple[str, int], dict[str, int]]:
    """Return the fates of each patient's nodules and of the probable marks, by patient and fold."""
    owner = series.set_index("series_uid")[["patient_id", "subset"]]
    is_nodule = matches["kind"] == "nodule"
    is_counted = is_nodule | ((matches["fate"] == "false_positive") & (matches["probability"] >= COUNTED_PROBABILITY))
    rows = matches[is_counted].join(owner, on="series_uid")
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for (patient, subset, fate), count in rows.groupby(["patient_id", "subset", "fate"]).size().items():
        counts.setdefault((str(patient), int(subset)), {})[str(fate)] = int(count)
    return counts


def _number(value: float | None, digits: int) -> str:
    return number(None if value is None or not np.isfinite(value) else float(value), digits)


def _text(value: object) -> str:
    return UNDEFINED if value is None or value != value else str(value)
