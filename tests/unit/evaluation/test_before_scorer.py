"""What the detector alone would have reached, and what the scorer adds, by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.before_scorer import marks_before
from lungpipe.evaluation.bootstrap import bootstrap_froc
from lungpipe.evaluation.comparison import compare_submissions
from lungpipe.evaluation.evaluate_study import evaluate_study, headline
from lungpipe.evaluation.matching import match
from lungpipe.settings import EvaluationSettings

SETTINGS = EvaluationSettings(num_bootstraps=50)


def judged(study):
    return evaluate_study(study, SETTINGS, folds=[0, 2], num_subsets=4, seed=1).summary


def with_false_positives(study):
    """Four false positives in each of two scans, which the detector finds more probable than the nodules."""
    rows = [
        study.scored[study.scored["series_uid"] == uid]
        .iloc[:1]
        .assign(candidate_id=f"{uid}#f{number}", center_x_mm=500.0 + 50 * number, probability=0.1, detector_score=0.95)
        for uid in ("1.2.0", "1.2.2")
        for number in range(4)
    ]
    return replace(study, scored=pd.concat([study.scored, *rows], ignore_index=True))


def test_the_detector_alone_finds_the_nodules_after_its_false_positives(study):
    summary = judged(with_false_positives(study))
    before = summary["before_scorer"]
    # all nodules come after four false positives a scan: the rates 4 and 8 of the seven have them
    assert (summary["cpm"], before["cpm"]) == (1.0, pytest.approx(2 / 7))
    assert before["sensitivity"] == {"0.125": 0, "0.25": 0, "0.5": 0, "1": 0, "2": 0, "4": 1, "8": 1}
    gain = before["gain_of_scorer"]
    assert gain["difference"] == pytest.approx(5 / 7)
    assert gain["low"] == pytest.approx(5 / 7)
    assert gain["high"] == pytest.approx(5 / 7)
    assert headline(summary)["cpm_before_scorer"] == pytest.approx(2 / 7)


def test_a_scorer_that_keeps_the_order_gains_nothing(study):
    scored = study.scored.assign(detector_score=study.scored["probability"] / 2)
    summary = judged(replace(study, scored=scored))
    assert summary["before_scorer"]["cpm"] == summary["cpm"]
    assert summary["before_scorer"]["gain_of_scorer"]["difference"] == 0


@pytest.mark.parametrize("scores", [np.nan, None])
def test_candidates_without_scores_and_unchanged_scores_have_no_figures(study, scores):
    changed = study.scored["probability"] if scores is None else scores
    scored = study.scored.assign(detector_score=changed)
    assert marks_before(scored) is None
    summary = judged(replace(study, scored=scored))
    assert summary["before_scorer"] is None
    assert "cpm_before_scorer" not in headline(summary)


def test_the_gain_is_paired_with_the_samples_of_the_evaluation(study):
    tables = with_false_positives(study)
    evaluation = evaluate_study(tables, SETTINGS, folds=[0, 2], num_subsets=4, seed=1)
    again = bootstrap_froc(evaluation.matches, SETTINGS.num_bootstraps, np.random.default_rng(1))
    assert evaluation.samples.tobytes() == again.tobytes()
    series = tables.of_subsets([0, 2]).series["series_uid"].tolist()
    alone = match(marks_before(evaluation.marks), evaluation.nodules, tables.exclusions, series)
    paired = compare_submissions(alone, evaluation.matches, num_bootstraps=SETTINGS.num_bootstraps, seed=1)
    assert evaluation.summary["before_scorer"]["gain_of_scorer"] == paired["cpm_difference"]
