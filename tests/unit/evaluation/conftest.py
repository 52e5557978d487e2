"""Small tables by hand (positions are x, y, z in mm, as in LUNA16's files), and a study of four subsets.

The study has a scan in each subset, and a malignant and a benign nodule in each scan; every nodule is found.
"""

from dataclasses import replace

import pandas as pd
import pytest

from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.patients.aggregate import aggregate_patients
from lungpipe.tables import EXCLUSIONS, NODULES, PATIENTS, SCORED, SERIES

NUM_SUBSETS = 4
UIDS = tuple(f"1.2.{subset}" for subset in range(NUM_SUBSETS))
# a malignant nodule at x = 0 and a benign one at x = 100 in every scan
PLACES = (0.0, 100.0)
RATINGS = ("5;5;4", "1;2;1")
DIAMETERS = (12.0, 6.0)


def _table(rows, column):
    columns = ["series_uid", "center_x_mm", "center_y_mm", "center_z_mm", column]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"series_uid": "str", **dict.fromkeys(columns[1:], "float64")})


@pytest.fixture
def marks():
    """Rows (series, x, y, z, probability)."""
    return lambda *rows: _table(rows, "probability")


@pytest.fixture
def findings():
    """Rows (series, x, y, z, diameter)."""
    return lambda *rows: _table(rows, "diameter_mm")


def candidates(fold, subset, malignancies):
    """A candidate on each nodule of a subset, scored by a fold's networks."""
    return [
        {
            "candidate_id": f"{UIDS[subset]}#c{row}",
            "series_uid": UIDS[subset],
            "center_z_mm": 0.0,
            "center_y_mm": 0.0,
            "center_x_mm": place,
            "diameter_mm": diameter,
            "detector_score": 0.9,
            "fold": fold,
            "probability": 0.9 - 0.1 * row,
            "malignancy": malignancy,
        }
        for row, (place, diameter, malignancy) in enumerate(zip(PLACES, DIAMETERS, malignancies, strict=True))
    ]


def scored_table(rows):
    return SCORED.conform(pd.DataFrame(rows, columns=list(SCORED.columns)))


@pytest.fixture
def study():
    """Folds 0 and 2. Malignancies of a malignant and a benign nodule: fold 0 says 0.4 and 0.3, fold 2 says 0.9 and 0.6.

    Each fold says the same on its validation subset, so that 0.4 and 0.9 are the thresholds with the highest F1.
    """
    said = {0: (0.4, 0.3), 2: (0.9, 0.6)}
    series = pd.DataFrame({"series_uid": UIDS, "patient_id": [f"p{uid}" for uid in UIDS], "subset": range(NUM_SUBSETS)})
    nodules = pd.DataFrame(
        [
            {
                "nodule_id": f"{uid}#{row}",
                "series_uid": uid,
                "center_z_mm": 0.0,
                "center_y_mm": 0.0,
                "center_x_mm": PLACES[row],
                "diameter_mm": DIAMETERS[row],
                "malignancy_ratings": RATINGS[row],
            }
            for uid in UIDS
            for row in range(2)
        ]
    )
    scored = scored_table([row for fold, values in said.items() for row in candidates(fold, fold, values)])
    validation = scored_table([row for fold, values in said.items() for row in candidates(fold, fold + 1, values)])
    tables = StudyTables(
        scored, PATIENTS.empty(), SERIES.conform(series), NODULES.conform(nodules), EXCLUSIONS.empty(), validation
    )
    patients = pd.concat(
        [
            aggregate_patients(replace(tables, series=series[series["subset"] == fold]), fold=fold, rule="mean_gt_3")
            for fold in said
        ],
        ignore_index=True,
    )
    return replace(tables, patients=patients)


@pytest.fixture
def without():
    """A study without some rows of one of its tables."""

    def drop(study, table, is_dropped):
        rows = getattr(study, table)
        return replace(study, **{table: rows[~rows.apply(is_dropped, axis=1).astype(bool)].reset_index(drop=True)})

    return drop
