"""Normal scores: quantiles of ranks, ties in the middle, far values at the ends."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from lungpipe.evaluation.normal_scores import LEAST_SHARE, NUM_KNOTS, NormalScores


def test_the_scores_are_those_of_a_reference_between_the_ends():
    values = np.random.default_rng(0).exponential(size=(500, 3))
    values[:200, 2] = 0.0
    reference = QuantileTransformer(n_quantiles=NUM_KNOTS, output_distribution="normal", subsample=None).fit(values)
    found = NormalScores.fit(values).transform(values)
    end = -norm.ppf(LEAST_SHARE)
    # the reference puts the lowest value at the end, even where many cases have that value
    is_inner = values > values.min(axis=0)
    np.testing.assert_allclose(found[is_inner], reference.transform(values).clip(-end, end)[is_inner], atol=1e-9)


def test_a_value_that_many_cases_have_gets_the_middle_of_their_ranks():
    scores = NormalScores.fit([[0.0]] * 60 + [[value] for value in np.linspace(1, 2, 40)])
    assert scores.transform([[0.0]])[0, 0] == pytest.approx(norm.ppf(0.3), abs=0.05)


def test_far_values_end_at_a_share_and_equal_values_are_in_the_middle():
    scores = NormalScores.fit(np.arange(101.0)[:, None])
    np.testing.assert_allclose(scores.transform([[-1e9], [1e9], [50.0]])[:, 0], [norm.ppf(0.005), norm.ppf(0.995), 0])
    assert NormalScores.fit([[3.0]] * 9).transform([[3.0], [7.0]]).tolist() == [[0.0], [pytest.approx(norm.ppf(0.995))]]


def test_another_number_of_values_is_refused():
    with pytest.raises(ValueError, match=r"expected values \(N, 1\), found \(1, 2\)"):
        NormalScores.fit([[1.0], [2.0]]).transform([[1.0, 2.0]])
