import numpy as np
import pytest

from lungpipe.evaluation.froc import FP_RATES, cpm, froc_curve, interpolate, sensitivity_at
from lungpipe.evaluation.matching import match


def test_the_curve_starts_at_the_origin_and_has_a_point_a_probability(marks, findings):
    given = marks(("a", 0, 0, 0, 0.9), ("a", 50, 0, 0, 0.7), ("b", 0, 0, 0, 0.6), ("b", 90, 0, 0, 0.6))
    nodules = findings(("a", 0, 0, 0, 6), ("b", 0, 0, 0, 6))
    froc = froc_curve(match(given, nodules, None, ["a", "b"]))
    assert froc.fp_per_scan.tolist() == [0, 0, 0.5, 1.0]
    assert froc.sensitivity.tolist() == [0, 0.5, 0.5, 1.0]
    assert froc.threshold.tolist() == [np.inf, 0.9, 0.7, 0.6]


def test_equal_probabilities_are_one_slanted_step(marks, findings):
    given = marks(("a", 0, 0, 0, 0.5), ("a", 50, 0, 0, 0.5))
    froc = froc_curve(match(given, findings(("a", 0, 0, 0, 6)), None, ["a"]))
    assert sensitivity_at(froc, [0.0, 0.125, 0.5, 1.0]).tolist() == [0.0, 0.125, 0.5, 1.0]


def test_false_positives_are_divided_by_all_scans_also_those_without_nodules_and_marks(marks, findings):
    given, nodules = marks(("a", 50, 0, 0, 0.5)), findings(("a", 0, 0, 0, 6))
    assert froc_curve(match(given, nodules, None, ["a"])).fp_per_scan[-1] == 1.0
    assert froc_curve(match(given, nodules, None, ["a", "b", "c", "d"])).fp_per_scan[-1] == 0.25


def test_a_missed_nodule_lowers_the_sensitivity(marks, findings):
    nodules = findings(("a", 0, 0, 0, 6), ("b", 0, 0, 0, 6), ("b", 30, 0, 0, 6))
    froc = froc_curve(match(marks(("a", 0, 0, 0, 0.5)), nodules, None, ["a", "b"]))
    assert froc.sensitivity[-1] == pytest.approx(1 / 3)


def test_a_curve_that_ends_early_keeps_its_last_sensitivity(marks, findings):
    given = marks(("a", 0, 0, 0, 0.5), ("a", 50, 0, 0, 0.4))
    froc = froc_curve(match(given, findings(("a", 0, 0, 0, 6)), None, ["a"]))
    assert froc.fp_per_scan[-1] == 1.0
    assert sensitivity_at(froc).tolist() == [1.0] * 7
    assert cpm(froc) == 1.0


def test_the_cpm_is_the_mean_over_the_seven_rates(marks, findings):
    # one nodule found after exactly one false positive per scan: at 1, 2, 4 and 8 but not below
    given = marks(("a", 50, 0, 0, 0.9), ("a", 0, 0, 0, 0.8))
    froc = froc_curve(match(given, findings(("a", 0, 0, 0, 6)), None, ["a"]))
    assert FP_RATES == (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    assert sensitivity_at(froc).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert cpm(froc) == pytest.approx(4 / 7)


def test_no_marks_find_nothing(marks, findings):
    froc = froc_curve(match(marks(), findings(("a", 0, 0, 0, 6)), None, ["a"]))
    assert sensitivity_at(froc).tolist() == [0.0] * 7


def test_marks_without_false_positives_keep_their_sensitivity_at_every_rate(marks, findings):
    nodules = findings(("a", 0, 0, 0, 6), ("a", 30, 0, 0, 6))
    assert cpm(froc_curve(match(marks(("a", 0, 0, 0, 0.2)), nodules, None, ["a"]))) == 0.5


def test_without_nodules_the_sensitivity_is_not_defined(marks, findings):
    froc = froc_curve(match(marks(("a", 0, 0, 0, 0.5)), findings(), None, ["a"]))
    assert np.isnan(cpm(froc))
    assert froc.fp_per_scan.tolist() == [0.0, 1.0]


def test_a_mark_in_two_nodules_raises_the_curve_twice_at_once(marks, findings):
    nodules = findings(("a", 1, 0, 0, 6), ("a", -1, 0, 0, 6))
    froc = froc_curve(match(marks(("a", 0, 0, 0, 0.9)), nodules, None, ["a"]))
    assert froc.sensitivity.tolist() == [0.0, 1.0]


def test_interpolation_takes_the_upper_end_of_a_vertical_piece():
    x, y = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0, 4.0])
    assert interpolate(x, y, np.array([0.5, 1.0, 1.5, 2.0, 9.0])).tolist() == [0.5, 3.0, 3.5, 4.0, 4.0]
