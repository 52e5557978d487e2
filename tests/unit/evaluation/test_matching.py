"""One rule of the LUNA16 challenge a test, on cases small enough to count on one's fingers."""

import numpy as np
import pytest

from lungpipe.evaluation.matching import Fate, match, named_series
from lungpipe.geometry import hits
from lungpipe.tables.errors import InputError


def fates(matches):
    return [Fate(fate).name for fate in matches.mark_fate]


def test_a_mark_within_the_radius_hits_the_nodule(marks, findings):
    matches = match(marks(("a", 2, 0, 0, 0.9)), findings(("a", 0, 0, 0, 6)), None, ["a"])
    assert fates(matches) == ["HIT"]
    assert matches.nodule_mark.tolist() == [0]
    assert matches.nodule_distance_mm.tolist() == [2.0]


def test_a_mark_exactly_on_the_radius_is_a_false_positive(marks, findings):
    matches = match(marks(("a", 3, 0, 0, 0.9)), findings(("a", 0, 0, 0, 6)), None, ["a"])
    assert fates(matches) == ["FALSE_POSITIVE"]
    assert matches.nodule_mark.tolist() == [-1]
    assert np.isnan(matches.nodule_distance_mm).all()


def test_the_distance_counts_all_three_axes(marks, findings):
    # 2^2 + 2^2 + 1^2 = 9: on the sphere of diameter 6, inside that of 6.1
    point = marks(("a", 2, 2, 1, 0.9))
    assert match(point, findings(("a", 0, 0, 0, 6)), None, ["a"]).counts()["true_positives"] == 0
    assert match(point, findings(("a", 0, 0, 0, 6.1)), None, ["a"]).counts()["true_positives"] == 1


@pytest.mark.parametrize(("x", "fate"), [(4.9, "IGNORED_ON_EXCLUDED"), (5.0, "FALSE_POSITIVE")])
def test_a_negative_diameter_counts_as_ten_millimetres(marks, findings, x, fate):
    matches = match(marks(("a", x, 0, 0, 0.9)), findings(), findings(("a", 0, 0, 0, -1)), ["a"])
    assert fates(matches) == [fate]


def test_of_several_marks_on_one_nodule_the_highest_hits_and_the_rest_are_ignored(marks, findings):
    given = marks(("a", 0, 0, 0, 0.2), ("a", 1, 0, 0, 0.8), ("a", 2, 0, 0, 0.5))
    matches = match(given, findings(("a", 0, 0, 0, 10)), None, ["a"])
    assert fates(matches) == ["IGNORED_DOUBLE", "HIT", "IGNORED_DOUBLE"]
    assert matches.counts()["ignored_double"] == 2
    assert matches.nodule_mark.tolist() == [1]
    assert matches.mark_nodule.tolist() == [0, 0, 0]


def test_of_equal_marks_on_one_nodule_the_first_in_the_file_hits(marks, findings):
    given = marks(("a", 2, 0, 0, 0.5), ("a", 1, 0, 0, 0.5))
    assert match(given, findings(("a", 0, 0, 0, 10)), None, ["a"]).nodule_mark.tolist() == [0]


def test_a_mark_inside_two_nodules_counts_for_both(marks, findings):
    matches = match(marks(("a", 0, 0, 0, 0.9)), findings(("a", 1, 0, 0, 6), ("a", -1, 0, 0, 6)), None, ["a"])
    counts = matches.counts()
    assert (counts["num_candidates"], counts["true_positives"], counts["false_negatives"]) == (1, 2, 0)
    assert matches.mark_nodule.tolist() == [0]


def test_a_mark_that_doubles_one_nodule_and_hits_another_is_a_hit_and_a_double(marks, findings):
    nodules = findings(("a", -2, 0, 0, 6), ("a", 2, 0, 0, 6))
    given = marks(("a", -4, 0, 0, 0.9), ("a", 0, 0, 0, 0.5))
    matches = match(given, nodules, None, ["a"])
    assert fates(matches) == ["HIT", "HIT"]
    assert matches.mark_nodule.tolist() == [0, 1]
    assert matches.counts()["ignored_double"] == 1


def test_a_mark_on_an_excluded_finding_is_neither_right_nor_wrong(marks, findings):
    counts = match(marks(("a", 0, 0, 0, 0.9)), findings(), findings(("a", 1, 0, 0, 6)), ["a"]).counts()
    assert (counts["ignored_on_excluded"], counts["false_positives"], counts["true_positives"]) == (1, 0, 0)


def test_a_mark_used_by_a_nodule_is_not_taken_away_by_an_excluded_finding(marks, findings):
    here = findings(("a", 0, 0, 0, 6))
    given = marks(("a", 0, 0, 0, 0.9), ("a", 1, 0, 0, 0.4))
    counts = match(given, here, here, ["a"]).counts()
    assert (counts["true_positives"], counts["ignored_double"], counts["ignored_on_excluded"]) == (1, 1, 0)


def test_a_mark_on_two_excluded_findings_is_ignored_once(marks, findings):
    excluded = findings(("a", 1, 0, 0, 6), ("a", -1, 0, 0, 6))
    assert match(marks(("a", 0, 0, 0, 0.9)), findings(), excluded, ["a"]).counts()["ignored_on_excluded"] == 1


def test_a_missed_nodule_stays_in_the_denominator(marks, findings):
    matches = match(marks(), findings(("a", 0, 0, 0, 6)), None, ["a"])
    assert (matches.num_nodules, matches.counts()["false_negatives"]) == (1, 1)


def test_marks_and_findings_of_another_scan_do_not_meet(marks, findings):
    matches = match(marks(("b", 0, 0, 0, 0.9)), findings(("a", 0, 0, 0, 6)), findings(("a", 0, 0, 0, 6)), ["a", "b"])
    assert fates(matches) == ["FALSE_POSITIVE"]
    assert matches.counts()["false_negatives"] == 1


def test_series_outside_the_list_do_not_count_at_all(marks, findings):
    matches = match(marks(("x", 0, 0, 0, 0.9)), findings(("x", 0, 0, 0, 6)), findings(("x", 0, 0, 0, 6)), ["a"])
    assert fates(matches) == ["UNKNOWN_SERIES"]
    assert {name: n for name, n in matches.counts().items() if n} == {"num_scans": 1}


def ramp(number, series="a", start=0):
    return [(series, 100 + i, 0, 0, (start + i) / 1000) for i in range(number)]


def test_a_scan_of_one_hundred_marks_keeps_them_all(marks, findings):
    assert match(marks(*ramp(100)), findings(), None, ["a"]).counts()["num_candidates"] == 100


def test_above_one_hundred_only_marks_above_the_101st_highest_stay(marks, findings):
    matches = match(marks(*ramp(103)), findings(), None, ["a"])
    assert np.flatnonzero(matches.mark_fate == Fate.OVER_CAP).tolist() == [0, 1, 2]


def test_marks_tied_with_the_101st_highest_are_all_lost(marks, findings):
    # 98 higher ones, then five of equal probability around the cut: all five go
    rows = [*ramp(98, start=500), *(("a", 300 + i, 0, 0, 0.1) for i in range(5))]
    assert match(marks(*rows), findings(), None, ["a"]).counts()["num_candidates"] == 98


def test_more_than_one_hundred_equal_marks_leave_none(marks, findings):
    rows = [("a", i, 0, 0, 0.5) for i in range(101)]
    assert match(marks(*rows), findings(("a", 0, 0, 0, 6)), None, ["a"]).counts()["num_candidates"] == 0


def test_the_cap_counts_every_scan_for_itself(marks, findings):
    rows = [*ramp(101, "a"), *ramp(60, "b"), *ramp(101, "x")]
    counts = match(marks(*rows), findings(), None, ["a", "b"]).counts()
    assert counts["num_candidates"] == 160


def test_the_cap_comes_before_the_matching(marks, findings):
    # the weakest of 101 marks lies on the nodule, and is gone before it could hit
    matches = match(marks(("a", 0, 0, 0, -1.0), *ramp(100)), findings(("a", 0, 0, 0, 6)), None, ["a"])
    assert matches.counts()["true_positives"] == 0
    assert matches.nodule_num_marks.tolist() == [0]


def test_matching_uses_the_one_hit_rule(marks, findings):
    rng = np.random.default_rng(5)
    points, diameters = rng.uniform(-6, 6, (60, 3)), rng.uniform(2, 8, 4)
    centers = rng.uniform(-6, 6, (4, 3))
    given = marks(*[("a", *point[::-1], i / 100) for i, point in enumerate(points)])
    nodules = findings(*[("a", *c[::-1], d) for c, d in zip(centers, diameters, strict=True)])
    inside = hits(points, centers, diameters)
    assert match(given, nodules, None, ["a"]).nodule_num_marks.tolist() == inside.sum(axis=0).tolist()


def test_refuses_a_list_that_names_a_scan_twice(marks, findings):
    with pytest.raises(InputError, match="different series"):
        match(marks(), findings(), None, ["a", "a"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_a_number_that_is_not_finite_and_says_where(marks, findings, bad):
    with pytest.raises(InputError, match=r"marks: expected finite numbers.*row 1 of column probability"):
        match(marks(("a", 0, 0, 0, 0.1), ("a", 0, 0, 0, bad)), findings(), None, ["a"])


def test_named_series_lists_every_scan_once_in_order_of_appearance(marks, findings):
    assert named_series(findings(("b", 0, 0, 0, 6)), None, marks(("a", 0, 0, 0, 1), ("b", 0, 0, 0, 1))) == ["b", "a"]
