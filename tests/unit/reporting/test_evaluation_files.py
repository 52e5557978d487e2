import dataclasses

import numpy as np
import pytest

from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.evaluate_study import evaluate_study, write_study
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.settings import EvaluationSettings


def test_everything_is_read_back_as_it_was_written(stored, evaluation):
    assert stored.summary == evaluation.summary
    np.testing.assert_array_equal(stored.band, evaluation.band)
    assert stored.froc.fp_per_scan[-1] == evaluation.froc.fp_per_scan[-1]
    assert stored.froc.sensitivity[-1] == evaluation.froc.sensitivity[-1]


def test_the_band_at_the_official_rates_is_the_interval_of_the_report(stored):
    expected = np.array(list(stored.summary["sensitivity_ci95"].values()))
    np.testing.assert_array_equal(stored.band[::8], expected)


def test_the_matches_have_the_facts_of_the_evaluation(stored):
    marks, nodules = (stored.matches[stored.matches["kind"] == kind] for kind in ("mark", "nodule"))
    assert nodules["partner_row"].tolist() == [0, 2, -1]
    assert marks["fate"].tolist() == ["hit", "false_positive", "hit", "false_positive"]
    assert marks["diameter_mm"].tolist() == [9.0, 4.0, 7.0, 5.0]
    assert nodules["distance_mm"].tolist()[:2] == pytest.approx([1.0, 0.0])


def test_a_study_without_nodules_has_no_band(tables, tmp_path):
    none = dataclasses.replace(tables, nodules=tables.nodules.iloc[:0])
    evaluation = evaluate_study(none, EvaluationSettings(num_bootstraps=5), folds=[0, 1], num_subsets=3, seed=7)
    write_study(evaluation, none, tmp_path, rule="mean_gt_3")
    stored = StoredEvaluation.read(tmp_path)
    assert stored.band.shape == (len(BAND_RATES), 2)
    assert np.isnan(stored.band).all()
