"""A small judged study: three scans in two folds, with volumes, made of numbers that can be checked by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.evaluate_study import evaluate_study, write_study
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.evaluation.whole_scans import whole_scan_table
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.patients.aggregate import aggregate_patients
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.figures import FigureInputs, draw_figures
from lungpipe.reporting.page_inputs import Origin
from lungpipe.reporting.pictures.findings import Places
from lungpipe.settings import EvaluationSettings, load_study
from lungpipe.tables import EXCLUSIONS, HISTORY, NODULES, PATIENTS, SCORED, SERIES
from lungpipe.volumes.writer import write_volume

RECIPES = Path(__file__).parents[3] / "recipes"

GRID = Grid((24, 60, 60), (1.0, 1.0, 1.0), (-100.0, -50.0, -30.0))
UIDS = ("1.3.6.1.4.1.14519.5.2.1.1", "1.3.6.1.4.1.14519.5.2.1.2", "1.3.6.1.4.1.14519.5.2.1.3")
PATIENTS_OF = ("LIDC-IDRI-9001", "LIDC-IDRI-9002", "LIDC-IDRI-9003")
# series, centre (voxel, zyx), diameter mm, ratings: the first two are found, the third is not
NODULE_ROWS = [(0, (12, 30, 30), 10.0, "5;5;4"), (1, (10, 20, 40), 6.0, "1;2;1"), (2, (12, 30, 30), 14.0, "3;3;3")]
# series, centre, diameter mm, probability, malignancy
CANDIDATE_ROWS = [
    (0, (12, 30, 31), 9.0, 0.95, 0.9),
    (0, (5, 10, 10), 4.0, 0.60, 0.2),
    (1, (10, 20, 40), 7.0, 0.80, 0.1),
    (1, (20, 50, 15), 5.0, 0.70, 0.4),
]

NO_PICTURES = {
    "findings": [{"kind": kind, "num_all": 0, "shown": []} for kind in ("hits", "misses", "false_positives")],
    "patients": {"num_all": 0, "shown": []},
}


def world(center_zyx_vox):
    return dict(zip(("center_z_mm", "center_y_mm", "center_x_mm"), GRID.to_world(center_zyx_vox), strict=True))


def make_tables():
    series = pd.DataFrame({"series_uid": UIDS, "patient_id": PATIENTS_OF, "subset": [0, 0, 1]})
    nodules = pd.DataFrame(
        [
            {
                "nodule_id": f"{UIDS[s]}#0",
                "series_uid": UIDS[s],
                **world(c),
                "diameter_mm": d,
                "malignancy_ratings": r,
            }
            for s, c, d, r in NODULE_ROWS
        ]
    )
    scored = pd.DataFrame(
        [
            {
                "candidate_id": f"{UIDS[s]}#c{row}",
                "series_uid": UIDS[s],
                **world(c),
                "diameter_mm": d,
                "detector_score": 0.5,
                "fold": 0,
                "probability": p,
                "malignancy": m,
            }
            for row, (s, c, d, p, m) in enumerate(CANDIDATE_ROWS)
        ]
    )
    tables = StudyTables(
        SCORED.conform(scored), PATIENTS.empty(), SERIES.conform(series), NODULES.conform(nodules), EXCLUSIONS.empty()
    )
    patients = pd.concat(
        [
            aggregate_patients(
                replace(tables, scored=scored[scored["fold"] == fold], series=series[series["subset"] == fold]),
                fold=fold,
                rule="mean_gt_3",
            )
            for fold in (0, 1)
        ],
        ignore_index=True,
    )
    return replace(tables, patients=patients)


def make_history(kept):
    """Two checks; the score is highest at step `kept`."""
    rows = [
        (step, name, value)
        for step in (10, 20)
        for name, value in (("score", float(step == kept)), ("training_loss", 1 / step), ("validation_loss", 2 / step))
    ]
    rows += [(10, "validation_nodule_auc", 0.7), (20, "validation_nodule_auc", 0.9)]
    return HISTORY.conform(pd.DataFrame(rows, columns=["step", "metric", "value"]))


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Volumes of the first two series, a bright ball for every nodule; the third could not be prepared."""
    folder = tmp_path_factory.mktemp("volumes")
    for s, center, diameter, _ in NODULE_ROWS[:2]:
        hu = np.full(GRID.shape_zyx, -800, dtype=np.int16)
        hu[sphere_mask(GRID, GRID.to_world(center), diameter)] = 50
        lungs = np.ones(GRID.shape_zyx, dtype=np.uint8)
        write_volume(folder / f"{UIDS[s]}.ome.zarr", hu, GRID, lungs, series_uid=UIDS[s], attributes={})
    return {uid: folder / f"{uid}.ome.zarr" for uid in UIDS[:2]}


@pytest.fixture(scope="session")
def tables():
    return make_tables()


@pytest.fixture(scope="session")
def evaluation(tables):
    return evaluate_study(tables, EvaluationSettings(num_bootstraps=50), folds=[0, 1], num_subsets=3, seed=7)


@pytest.fixture(scope="session")
def stored(evaluation, tables, tmp_path_factory):
    """The evaluation of the study, written and read back."""
    folder = tmp_path_factory.mktemp("study")
    write_study(evaluation, tables, folder, rule="mean_gt_3")
    return StoredEvaluation.read(folder)


@pytest.fixture(scope="session")
def figure_inputs(stored, stores):
    histories = {network: {0: make_history(10), 1: make_history(20)} for network in ("detector", "scorer")}
    places = Places.of(stored, make_tables().series, stores, [])
    return FigureInputs(stored, histories, places, "mean_gt_3")


@pytest.fixture(scope="session")
def figure_folder(figure_inputs, tmp_path_factory):
    """All figures, charts and pictures, drawn once."""
    folder = tmp_path_factory.mktemp("figures")
    draw_figures(figure_inputs, folder)
    return folder


@pytest.fixture
def page_parts(stored):
    """The keyword arguments of PageInputs, without any chart or picture."""
    study = load_study({"folds": (0, 1)}, RECIPES).model_dump(mode="json")
    accounting = pd.DataFrame(
        {
            "subset": ["0", "1", "total"],
            "expected": [2, 1, 3],
            "prepared": [2, 0, 2],
            "nodules": [3, 1, 4],
            "outside_lungs": [0, 1, 1],
            "outside_lungs_percent": [0.0, 100.0, 25.0],
            "lungs_litres_median": [4.5, None, 4.5],
            "references": [2, 0, 2],
            "references_not_compared": [1, 0, 1],
            "lungs_dice_median": [0.9876, None, 0.9876],
            "lungs_dice_min": [0.9876, None, 0.9876],
        }
    )
    return {
        "stored": stored,
        "study": study,
        "accounting": accounting,
        "series": make_tables().series,
        "whole_scans": whole_scan_table(make_tables(), [], [0, 1]),
        "charts": [],
        "pictures": NO_PICTURES,
        "command": "lungpipe evaluate results/a/evaluation/submission.csv --seed 7\n",
        "origin": Origin({"commit": "0123abc", "python": "3.11"}, "2026-11-28 07:30 UTC"),
    }
