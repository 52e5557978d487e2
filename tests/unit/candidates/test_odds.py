"""Logits of scores."""

import numpy as np
import pytest

from lungpipe.candidates.odds import clipped_logit


def test_logits_are_the_logarithms_of_the_odds():
    np.testing.assert_allclose(clipped_logit([0.5, 0.75, 0.2]), [0.0, np.log(3.0), -np.log(4.0)])


def test_certain_scores_have_finite_odds_and_unknown_ones_stay_unknown():
    low, high, unknown = clipped_logit([0.0, 1.0, np.nan])
    assert low == pytest.approx(-high)
    np.testing.assert_allclose(high, np.log(1e6 - 1))
    assert np.isnan(unknown)
