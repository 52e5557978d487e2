"""Paired differences: the same scans, ours minus theirs."""

from dataclasses import replace

import pytest

from lungpipe.reporting.paired import pair, paired_table


def worse(stored):
    """The same study, in which one hit has the lowest probability of all marks."""
    matches = stored.matches.copy()
    last = matches[(matches["kind"] == "mark") & (matches["fate"] == "hit")].index[-1]
    matches.loc[last, "probability"] = 0.01
    return replace(stored, matches=matches)


def test_a_study_and_itself_differ_by_nothing(stored):
    table = paired_table({"twin": pair(stored, stored)})
    cpm = f"{stored.summary['cpm']:.3f}"
    assert table.rows == (("twin", "3", cpm, cpm, "+0.000", "0.000 to 0.000", "1.000"),)


def test_the_difference_is_ours_minus_theirs(stored):
    paired = pair(stored, worse(stored))
    assert paired.comparison["cpm_b"] == pytest.approx(stored.summary["cpm"])
    assert paired.comparison["cpm_difference"]["difference"] > 0
    assert pair(worse(stored), stored).comparison["cpm_difference"]["difference"] < 0


def test_only_common_scans_are_compared(stored):
    first = dict(list(stored.subset_of.items())[:1])
    other = replace(stored, subset_of={**first, "another": 5})
    paired = pair(stored, other)
    assert paired.num_scans == 1
    assert paired.comparison["num_nodules"] == 1


def test_no_common_scan_or_other_nodules_is_no_comparison(stored):
    apart = pair(stored, replace(stored, subset_of={"another": 0}))
    assert apart.comparison is None
    fewer = stored.matches[~((stored.matches["kind"] == "nodule") & (stored.matches["row"] == 2))]
    assert pair(stored, replace(stored, matches=fewer)).comparison is None
    assert paired_table({"apart": apart}).rows == (("apart", "0", *["not defined"] * 5),)
    assert paired_table({}) is None
