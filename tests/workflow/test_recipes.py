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
}
DELTA = """
recipe: {recipe}
folds: [0]
scale:
  detector: {{num_steps: 6, batch_size: 4, num_checks: 1}}
  scorer: {{num_steps: 6, batch_size: 4, num_checks: 1}}
evaluation: {{num_bootstraps: 10}}
tracking: {{is_enabled: false}}
"""


@pytest.mark.parametrize("recipe", RULES)
def test_a_recipe_runs_from_the_volumes_to_the_evaluation(copy, recipe):
    answer = copy.snakemake(delta=copy.delta(DELTA.format(recipe=recipe)))
    assert {job.rule for job in answer.jobs} == RULES[recipe]
    folder = copy.dataset / recipe
    scored = pd.read_parquet(folder / "fold0" / "scored.parquet")
    assert len(scored)
    assert scored["probability"].between(0, 1).all()
    assert scored["malignancy"].between(0, 1).all()
    history = pd.read_parquet(folder / "fold0" / "scorer_history.parquet")
    assert np.isfinite(history["value"]).all()
    evaluation = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    assert evaluation["num_scans"] == 2
    assert 0 <= evaluation["cpm"] <= 1
    assert (folder / "report.html").is_file()
