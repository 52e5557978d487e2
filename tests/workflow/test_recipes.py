"""Every recipe that the smallest study does not run by default: one fold from the volumes to the evaluation."""

import json

import numpy as np
import pandas as pd
import pytest

GIVEN = {"select_candidates", "train_scorer", "score_candidates", "evaluate_study", "draw_figures", "write_report"}
DETECTED = GIVEN - {"select_candidates"} | {"train_detector", "mine_candidates", "detect_candidates"}
RULES = {
    "book": DETECTED,
    "cnn3d": GIVEN,
    "slice2d": GIVEN,
    "slice2d_vgg16": GIVEN,
}
SLOW = {"slice2d_vgg16"}
DELTA = """
recipe: {recipe}
folds: [0]
scale:
  detector: {{num_steps: 6, batch_size: 4, num_checks: 1}}
  scorer: {{num_steps: 6, batch_size: 4, num_checks: 1}}
evaluation: {{num_bootstraps: 10}}
tracking: {{is_enabled: false}}
"""


@pytest.mark.parametrize(
    "recipe", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in RULES]
)
def test_a_recipe_runs_from_the_volumes_to_the_evaluation(copy, recipe):
    answer = copy.snakemake(delta=copy.delta(DELTA.format(recipe=recipe)))
    assert {job.rule for job in answer.jobs} == RULES[recipe]
    folder = copy.dataset / recipe
    scored = pd.read_parquet(folder / "fold0" / "scored.parquet")
    # six steps need not make a detector that finds anything; a fold without candidates is evaluated, too
    assert len(scored) or "train_detector" in RULES[recipe]
    assert scored["probability"].between(0, 1).all()
    assert scored["malignancy"].between(0, 1).all()
    history = pd.read_parquet(folder / "fold0" / "scorer_history.parquet")
    assert np.isfinite(history["value"]).all()
    evaluation = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    assert evaluation["num_scans"] == 2
    assert 0 <= evaluation["cpm"] <= 1
    assert (folder / "report.html").is_file()


@pytest.mark.slow
def test_forty_steps_make_a_detector_of_book_that_finds_candidates(copy):
    delta = DELTA.format(recipe="book").replace("num_steps: 6, batch_size: 4", "num_steps: 40, batch_size: 8", 1)
    copy.snakemake("results/ci/book/fold0/scored.parquet", delta=copy.delta(delta))
    scored = pd.read_parquet(copy.dataset / "book" / "fold0" / "scored.parquet")
    assert len(scored)
    assert scored["probability"].between(0, 1).all()


def test_malignancy_is_studied_without_a_detector(copy):
    delta = copy.delta(DELTA.format(recipe="malignancy").replace("[0]", "[0, 1, 2]"))
    answer = copy.snakemake("study_malignancy", delta=delta)
    assert {job.rule for job in answer.jobs} == {"train_scorer", "rate_nodules", "measure_nodules", "study_malignancy"}
    folder = copy.dataset / "malignancy"
    methods = pd.read_csv(folder / "malignancy" / "methods.csv")
    assert {"diameter", "network", "stack: network + measures"} <= set(methods["method"])
    assert methods["auc"].between(0, 1).all()
    assert json.loads((folder / "malignancy" / "summary.json").read_text())["subsets"] == [0, 1, 2]
    rated = pd.read_parquet(folder / "fold1" / "rated.parquet")
    nodules = pd.read_parquet(copy.dataset / "targets" / "nodules.parquet").set_index("nodule_id")
    series = pd.read_parquet(copy.dataset / "targets" / "series.parquet").set_index("series_uid")
    assert set(nodules.loc[rated["nodule_id"], "series_uid"].map(series["subset"])) == {1}
