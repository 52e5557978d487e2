import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.bootstrap import bootstrap_froc, compare, interval
from lungpipe.evaluation.froc import cpm, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import match


@pytest.fixture
def half_found(marks, findings):
    """Forty scans with a nodule each; every second one is found, each scan has one false positive."""
    names = [f"s{i}" for i in range(40)]
    rows = [(name, 90, 0, 0, 0.3 + i / 1000) for i, name in enumerate(names)]
    rows += [(name, 0, 0, 0, 0.9) for name in names[::2]]
    return match(marks(*rows), findings(*[(name, 0, 0, 0, 6) for name in names]), None, names)


def test_the_same_seed_draws_the_same_samples(half_found):
    first, again, other = (bootstrap_froc(half_found, 20, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_the_spread_is_the_binomial_one(half_found):
    """20 of 40 scans are found: the standard deviation of the share is sqrt(0.5 * 0.5 / 40)."""
    samples = bootstrap_froc(half_found, 4000, np.random.default_rng(0))[:, -1]
    assert samples.mean() == pytest.approx(0.5, abs=0.01)
    assert samples.std() == pytest.approx(np.sqrt(0.25 / 40), rel=0.05)
    low, high = interval(samples)
    assert (low, high) == pytest.approx((0.345, 0.655), abs=0.03)


def test_scans_are_drawn_whole(marks, findings):
    """Two scans of three nodules each, one all found, one all missed: a sample finds none, half or all of them."""
    nodules = findings(*[(name, 20 * i, 0, 0, 6) for name in "ab" for i in range(3)])
    matches = match(marks(*[("a", 20 * i, 0, 0, 0.5) for i in range(3)]), nodules, None, ["a", "b"])
    samples = bootstrap_froc(matches, 200, np.random.default_rng(0))
    assert set(samples[:, 0]) == {0.0, 0.5, 1.0}


def test_a_sample_without_nodules_is_not_a_number_and_is_left_out(marks, findings):
    matches = match(marks(("a", 0, 0, 0, 0.5)), findings(("a", 0, 0, 0, 6)), None, ["a", "b", "c"])
    samples = bootstrap_froc(matches, 200, np.random.default_rng(0))
    is_empty = np.isnan(samples[:, 0])
    assert is_empty.mean() == pytest.approx((2 / 3) ** 3, abs=0.1)
    assert interval(samples).tolist() == [[1.0] * 7, [1.0] * 7]


def test_an_interval_without_any_sample_is_not_a_number():
    assert np.isnan(interval(np.full((5, 2), np.nan))).all()


def test_without_resampling_spread_the_samples_are_the_curve(marks, findings):
    """One scan can only be drawn as itself."""
    given = marks(*[("a", 40 + 9 * i, 0, 0, 0.5) for i in range(3)], ("a", 0, 0, 0, 0.5), ("a", 20, 0, 0, 0.2))
    matches = match(given, findings(("a", 0, 0, 0, 6), ("a", 20, 0, 0, 6)), None, ["a"])
    sample = bootstrap_froc(matches, 1, np.random.default_rng(0))[0]
    np.testing.assert_allclose(sample, sensitivity_at(froc_curve(matches)), atol=1e-15)
    assert sample.mean() == pytest.approx(cpm(froc_curve(matches)))


def test_comparing_a_figure_with_itself_finds_nothing():
    samples = np.random.default_rng(0).normal(size=500)
    result = compare(samples, samples, 0.0)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_pairing_finds_a_small_difference_that_lies_inside_both_intervals():
    shared = np.random.default_rng(0).normal(0.8, 0.05, 999)
    result = compare(shared, shared + 0.01, 0.01)
    assert result.low == pytest.approx(0.01)
    # no sample on the other side: twice (0 + 1) of (999 + 1)
    assert result.p_value == pytest.approx(2 / 1000)


def test_samples_that_are_not_numbers_are_left_out_of_a_comparison():
    result = compare(np.array([np.nan, 0.0, 0.0]), np.array([1.0, np.nan, 1.0]), 1.0)
    assert (result.low, result.high) == (1.0, 1.0)


def test_every_sample_is_the_evaluation_of_the_scans_it_drew(marks, findings):
    """Draw by hand, copy the marks and nodules of each drawn scan under a new name, and judge the copies."""
    names, rng = [f"s{i}" for i in range(8)], np.random.default_rng(5)
    rows = [(names[s], *rng.integers(-9, 9, 3), rng.integers(400) / 400) for s in rng.integers(0, 8, 300)]
    nodules = findings(*[(names[s], *rng.integers(-9, 9, 3), 7) for s in rng.integers(0, 8, 30)])
    given = marks(*rows)
    samples = bootstrap_froc(match(given, nodules, None, names), 20, np.random.default_rng(9))
    draws = np.random.default_rng(9)
    for sample in samples:
        drawn = [names[scan] for scan in draws.integers(0, 8, 8)]
        copies = [
            pd.concat([part[part["series_uid"] == name].assign(series_uid=f"{i}") for i, name in enumerate(drawn)])
            for part in (given, nodules)
        ]
        judged = match(*copies, None, [f"{i}" for i in range(8)])
        np.testing.assert_allclose(sample, sensitivity_at(froc_curve(judged)), atol=1e-12)
