"""Matches read back from their table give the curves of the matching itself."""

from dataclasses import fields

import numpy as np

from lungpipe.evaluation.froc import froc_curve
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.result_tables import matches_table
from lungpipe.evaluation.stored_matches import read_matches, without_exclusions

SCANS = ["a", "b", "c"]


def tables(marks, findings):
    """Scan a: a nodule with two marks, a mark on an excluded finding; b: a miss, a false positive; c: nothing."""
    return (
        marks(
            ("a", 0, 0, 0, 0.9), ("a", 1, 0, 0, 0.4), ("a", 50, 0, 0, 0.8), ("b", 90, 0, 0, 0.7), ("x", 0, 0, 0, 1.0)
        ),
        findings(("a", 0, 0, 0, 10.0), ("b", 0, 0, 0, 6.0)),
        findings(("a", 50, 0, 0, 8.0)),
    )


def test_every_field_is_read_back(marks, findings):
    found, nodules, exclusions = tables(marks, findings)
    matches = match(found, nodules, exclusions, SCANS)
    again = read_matches(matches_table(matches, found, nodules), SCANS)
    for field in fields(matches):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(matches, field.name), field.name)


def test_without_the_list_marks_on_excluded_findings_are_false_positives(marks, findings):
    found, nodules, exclusions = tables(marks, findings)
    with_list = match(found, nodules, exclusions, SCANS)
    plain = match(found, nodules, None, SCANS)
    again = without_exclusions(read_matches(matches_table(with_list, found, nodules), SCANS))
    np.testing.assert_array_equal(again.mark_fate, plain.mark_fate)
    assert froc_curve(again).fp_per_scan[-1] == 2 / 3
    assert froc_curve(with_list).fp_per_scan[-1] == 1 / 3


def test_other_scans_do_not_count(marks, findings):
    found, nodules, exclusions = tables(marks, findings)
    table = matches_table(match(found, nodules, exclusions, SCANS), found, nodules)
    part, alone = read_matches(table, ["b", "c"]), match(found, nodules, exclusions, ["b", "c"])
    assert part.counts() == alone.counts()
    np.testing.assert_array_equal(froc_curve(part).fp_per_scan, froc_curve(alone).fp_per_scan)
    np.testing.assert_array_equal(froc_curve(part).sensitivity, froc_curve(alone).sensitivity)
