import numpy as np
import pytest

from lungpipe.evaluation.matching import match
from lungpipe.evaluation.strata import (
    by_nodule_group,
    by_scan_group,
    diameter_bin_names,
    diameter_bins,
    diameter_error,
    localisation,
    num_readers,
    texture,
)


@pytest.fixture
def case(marks, findings):
    """Scan a: a small nodule found, a large one missed; scan b: a large one found behind a false positive."""
    given = marks(("a", 1, 0, 0, 0.9), ("b", 90, 0, 0, 0.8), ("b", 0, 3, 4, 0.7))
    nodules = findings(("a", 0, 0, 0, 5), ("a", 50, 0, 0, 20), ("b", 0, 0, 0, 20))
    return given, nodules, match(given, nodules, None, ["a", "b"])


def test_a_bin_holds_its_lower_edge_and_a_negative_diameter_means_ten():
    assert diameter_bins([5.9, 6, 8, 14.9, 15, 40, -1]) == [
        "< 6 mm",
        "6 to 8 mm",
        "8 to 15 mm",
        "8 to 15 mm",
        ">= 15 mm",
        ">= 15 mm",
        "8 to 15 mm",
    ]


def test_strata_of_nodules_share_the_false_positives_of_all_scans(case):
    _, nodules, matches = case
    small, large = by_nodule_group(matches, diameter_bins(nodules["diameter_mm"]), diameter_bin_names())
    assert (small.name, small.num_nodules, small.num_hit, small.cpm) == ("< 6 mm", 1, 1, 1.0)
    assert (large.name, large.num_nodules, large.num_hit) == (">= 15 mm", 2, 1)
    # the false positive of scan b is half a one per scan
    assert large.sensitivity == (0, 0, 0.5, 0.5, 0.5, 0.5, 0.5)


def test_strata_of_scans_have_their_own_false_positives_and_scans(case):
    first, second = by_scan_group(case[2], {"a": "0", "b": "1"})
    assert (first.name, first.num_scans, first.num_nodules, first.cpm) == ("0", 1, 2, 0.5)
    assert (second.num_scans, second.num_nodules) == (1, 1)
    # in scan b alone the false positive is a whole one per scan
    assert second.sensitivity == (0, 0, 0, 1, 1, 1, 1)


def test_a_nodule_or_scan_without_a_group_is_in_no_stratum(case):
    strata = by_nodule_group(case[2], [None, "x", None])
    assert [(stratum.name, stratum.num_nodules) for stratum in strata] == [("x", 1)]
    assert [stratum.name for stratum in by_scan_group(case[2], {"b": "1"})] == ["1"]


def test_readers_and_texture_come_from_the_ratings():
    ratings = ["4;5;3", "1", None, "", float("nan")]
    assert num_readers(ratings) == ["3 readers", "1 reader", None, None, None]
    assert texture(["5;5;4", "1;2", "3;3;5", "2;3", None, ""]) == [
        "solid",
        "non-solid",
        "part-solid",
        "part-solid",
        None,
        None,
    ]


def test_localisation_is_the_distance_and_the_mean_shift_of_the_hits(case):
    given, nodules, matches = case
    found = localisation(matches, given, nodules)
    assert found["mean_mm"] == found["median_mm"] == 3.0  # 1 mm and 5 mm
    assert found["mean_offset_zyx_mm"] == [2.0, 1.5, 0.5]


def test_localisation_is_nothing_without_hits(marks, findings):
    nothing, nodules = marks(), findings(("a", 0, 0, 0, 6))
    assert localisation(match(nothing, nodules, None, ["a"]), nothing, nodules) is None


def test_diameter_errors_need_diameters_in_the_marks(case):
    given, nodules, matches = case
    assert diameter_error(matches, given, nodules) is None
    error = diameter_error(matches, given.assign(diameter_mm=[6.0, np.nan, 17.0]), nodules)
    assert error == {"mean_mm": -1.0, "mean_absolute_mm": 2.0, "median_absolute_mm": 2.0}


def test_hits_of_candidates_without_a_diameter_have_no_diameter_error(case):
    given, nodules, matches = case
    assert diameter_error(matches, given.assign(diameter_mm=np.nan), nodules) is None
