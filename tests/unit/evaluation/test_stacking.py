"""Logistic stacks: like scikit-learn's regression, and no group judged by weights that saw the group."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lungpipe.evaluation.stacking import choose_ridge, cross_fit, fit_ridge


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (300, 3)) * [1.0, 20.0, 0.1] + [0, 5, 100]
    risk = values[:, 0] + 0.05 * (values[:, 1] - 5)
    labels = (rng.random(300) < 1 / (1 + np.exp(-2 * risk))).astype(float)
    return labels, values, np.arange(300) % 5


@pytest.mark.parametrize("ridge", [0.5, 10.0])
def test_the_weights_are_those_of_a_reference(cases, ridge):
    labels, values, _ = cases
    fitted = fit_ridge(labels, values, ridge)
    scores = fitted.scores.transform(values)
    reference = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=1000).fit(scores, labels)
    np.testing.assert_allclose(fitted.weights, reference.coef_[0], atol=1e-5)
    np.testing.assert_allclose(fitted.predict(values), reference.predict_proba(scores)[:, 1], atol=1e-5)


def test_shares_and_numbers_of_cases_are_those_of_a_reference(cases):
    labels, values, _ = cases
    shares, number = np.where(labels == 1, 0.75, 0.2), np.linspace(0.25, 2.0, 300)
    fitted = fit_ridge(shares, values, 2.0, number)
    twice = np.concatenate([fitted.scores.transform(values)] * 2)
    weights = np.concatenate([number * shares, number * (1 - shares)])
    reference = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)
    reference.fit(twice, np.repeat([1, 0], 300), sample_weight=weights)
    np.testing.assert_allclose(fitted.weights, reference.coef_[0], atol=1e-5)
    assert fitted.intercept == pytest.approx(reference.intercept_[0], abs=1e-5)


def test_a_value_that_never_changes_has_no_weight(cases):
    labels, values, _ = cases
    fitted = fit_ridge(labels, np.column_stack([values, np.ones(300)]), 1.0)
    assert fitted.weights[3] == pytest.approx(0)
    assert np.isfinite(fitted.predict(np.column_stack([values, np.full(300, 7.0)]))).all()


def test_noise_is_shrunk_and_signal_is_not(cases):
    labels, _, groups = cases
    noise = np.random.default_rng(1).normal(size=(300, 30))
    signal = (2 * labels - 1)[:, None] + 0.5 * noise[:, :1]
    assert choose_ridge(labels, noise, groups) == 100.0
    assert choose_ridge(labels, signal, groups) <= 3.0


def test_one_group_leaves_nothing_out(cases):
    labels, values, _ = cases
    assert choose_ridge(labels, values, np.zeros(300, dtype=int), (1.0, 2.0, 3.0)) == 2.0
    with pytest.raises(ValueError, match="expected finite values of two groups or more, found 1 groups"):
        cross_fit(labels, values, np.zeros(300))


def test_the_labels_of_a_group_do_not_change_its_own_probabilities(cases):
    labels, values, groups = cases
    own = groups == 2
    one = cross_fit(labels, values, groups)
    other = cross_fit(np.where(own, 1 - labels, labels), values, groups)
    np.testing.assert_array_equal(one[own], other[own])
    assert (one[~own] != other[~own]).all()


def test_a_value_that_is_not_finite_is_refused(cases):
    labels, values, groups = cases
    values[3, 1] = np.nan
    with pytest.raises(ValueError, match="expected finite values"):
        cross_fit(labels, values, groups)
