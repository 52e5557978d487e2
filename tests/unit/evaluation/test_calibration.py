import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score

from lungpipe.evaluation.calibration import (
    accuracy_f1,
    best_threshold,
    brier,
    calibration_curve,
    ece,
    fit_logistic,
    fit_shares,
    logistic,
)


def test_brier_is_the_mean_squared_error():
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)
    assert np.isnan(brier([], []))


def test_calibration_by_hand():
    # bin 0.2-0.3: two cases of 0.25, one positive; bin 0.9-1: one case of 1, positive
    first, last = calibration_curve([1, 0, 1], [0.25, 0.25, 1.0])
    assert (first.low, first.high) == pytest.approx((0.2, 0.3))
    assert (first.num_cases, first.mean_probability, first.share_positive) == (2, 0.25, 0.5)
    assert (last.num_cases, last.mean_probability, last.share_positive) == (1, 1.0, 1.0)
    assert ece([1, 0, 1], [0.25, 0.25, 1.0]) == pytest.approx(2 / 3 * 0.25)
    assert np.isnan(ece([], []))


def test_a_calibrated_forecast_has_a_small_error_and_a_shifted_one_its_shift():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.2, 0.8, 20_000)
    label = (rng.random(20_000) < probability).astype(float)
    assert ece(label, probability) < 0.02
    assert ece(label, probability - 0.15) == pytest.approx(0.15, abs=0.02)
    assert brier(label, probability) == pytest.approx(brier_score_loss(label, probability))


def test_accuracy_and_f1_by_hand():
    # one hit, one miss, one false alarm, one rejection
    assert accuracy_f1([1, 1, 0, 0], [1, 0, 1, 0]) == (0.5, 0.5)
    assert accuracy_f1([0, 0], [0, 0]) == (1.0, 0.0)


@pytest.mark.parametrize("seed", range(10))
def test_no_threshold_has_a_higher_f1_than_the_best(seed):
    rng = np.random.default_rng(seed)
    labels, scores = np.append(rng.integers(0, 2, 30), 1), rng.integers(0, 12, 31) / 12
    best = f1_score(labels, scores >= best_threshold(labels, scores))
    assert best == pytest.approx(max(f1_score(labels, scores >= cut) for cut in scores))


def test_no_cases_choose_no_threshold():
    with pytest.raises(ValueError, match="found none"):
        best_threshold([], [])


def test_the_logistic_fit_finds_the_curve_that_made_the_labels():
    rng = np.random.default_rng(0)
    diameter = rng.uniform(3, 30, 20_000)
    label = rng.random(20_000) < logistic(-3.0 + 0.25 * diameter)
    intercept, slope = fit_logistic(label, diameter)
    assert (intercept, slope) == pytest.approx((-3.0, 0.25), rel=0.06)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 0, 0, 0]])
def test_the_logistic_fit_stays_finite_where_the_classes_are_separable(labels):
    intercept, slope = fit_logistic(labels, [4.0, 5.0, 10.0, 12.0])
    probability = logistic(intercept + slope * np.array([4.0, 5.0, 10.0, 12.0]))
    assert np.isfinite([intercept, slope]).all()
    assert ((probability > 0.5) == np.array(labels, dtype=bool)).all()


def test_the_logistic_fit_bears_equal_values():
    intercept, slope = fit_logistic([0, 1, 1, 1], [8.0] * 4)
    assert logistic(intercept + slope * 8.0) == pytest.approx(0.75, abs=1e-3)


def test_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        brier([1.0], [1.2])
    with pytest.raises(ValueError, match="0 or 1"):
        ece([3.0], [0.2])


def test_shares_are_the_logistic_regression_where_cases_are_many():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20_000, 2))
    labels = rng.random(20_000) < logistic(-1.0 + values @ [2.0, 0.5])
    intercept, slopes = fit_shares(labels, values, prior=0.5, strength=1.0)
    assert intercept == pytest.approx(-1.0, abs=0.1)
    np.testing.assert_allclose(slopes, [2.0, 0.5], atol=0.1)


def test_shares_stay_near_the_prior_where_cases_are_few():
    _, slopes = fit_shares([0, 1], [[0.1, 0.0], [0.0, 0.1]], prior=0.5, strength=1.0)
    np.testing.assert_allclose(slopes, [0.5, 0.5], atol=0.05)


def test_separable_cases_have_finite_shares():
    values = np.array([[-9.0, 0.0], [-8.0, 1.0], [9.0, 0.0], [12.0, 1.0]])
    intercept, slopes = fit_shares([0, 0, 1, 1], values, prior=0.5, strength=1.0)
    assert np.isfinite([intercept, *slopes]).all()


def test_a_value_that_speaks_against_the_label_has_no_share():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(500, 2))
    labels = rng.random(500) < logistic(values @ [2.0, -2.0])
    _, slopes = fit_shares(labels, values, prior=0.5, strength=1.0)
    alone, single = fit_shares(labels, values[:, :1], prior=0.5, strength=1.0)
    assert slopes[1] == 0.0
    assert slopes[0] == pytest.approx(single[0])
    assert alone == pytest.approx(fit_shares(labels, values, prior=0.5, strength=1.0)[0])


def test_the_prior_moves_the_fit_as_a_gaussian_does():
    """Two opposite cases: the slope solves label - p = strength * (slope - prior) / value."""
    _, slopes = fit_shares([1, 0], [[1.0], [-1.0]], prior=0.5, strength=2.0)
    # by symmetry the intercept is 0, and 2 * (1 - logistic(slope)) = 2 * (slope - 0.5)
    assert 2.0 * (1.0 - logistic(slopes[0])) == pytest.approx(2.0 * (slopes[0] - 0.5), abs=1e-6)
