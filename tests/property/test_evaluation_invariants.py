"""What must hold for every submission, whatever is in it."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from lungpipe.evaluation.bootstrap import bootstrap_froc
from lungpipe.evaluation.froc import FP_RATES, cpm, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import Fate, match
from lungpipe.evaluation.strata import only_scans

SERIES = ["a", "b", "c"]
COLUMNS = ["series_uid", "center_z_mm", "center_y_mm", "center_x_mm"]

place = st.tuples(st.sampled_from([*SERIES, "unlisted"]), *[st.integers(-8, 8).map(float)] * 3)
probability = st.integers(0, 6).map(lambda step: step / 6)
marks = st.lists(st.tuples(place, probability), max_size=25)
findings = st.lists(st.tuples(place, st.sampled_from([-1.0, 0.0, 3.0, 6.0, 11.0])), max_size=6)
a_nodule = (("a", 0.0, 0.0, 0.0), 6.0)


def table(rows, column):
    columns = [*COLUMNS, column]
    frame = pd.DataFrame([(*where, value) for where, value in rows], columns=columns)
    return frame.astype({"series_uid": "str", **dict.fromkeys(columns[1:], "float64")})


def matched(rows, nodules, exclusions):
    return match(table(rows, "probability"), table(nodules, "diameter_mm"), table(exclusions, "diameter_mm"), SERIES)


@given(marks, findings, findings)
def test_every_mark_and_every_nodule_has_one_fate_and_the_counts_add_up(rows, nodules, exclusions):
    matches = matched(rows, nodules, exclusions)
    counts = matches.counts()
    fates = np.bincount(matches.mark_fate, minlength=len(Fate))
    assert fates.sum() == len(rows)
    assert counts["num_candidates"] == sum(where[0] in SERIES for where, _ in rows)
    assert counts["true_positives"] + counts["false_negatives"] == counts["num_nodules"]
    # pairs of mark and nodule: one hit a found nodule, every other pair a double
    assert counts["true_positives"] + counts["ignored_double"] == matches.nodule_num_marks.sum()
    assert (matches.mark_nodule >= 0).sum() == fates[Fate.HIT] + fates[Fate.IGNORED_DOUBLE]
    assert set(matches.nodule_mark[matches.nodule_mark >= 0]) == set(np.flatnonzero(matches.mark_fate == Fate.HIT))


@given(marks, findings, findings)
def test_the_curve_never_falls_and_the_cpm_lies_between_zero_and_one(rows, nodules, exclusions):
    froc = froc_curve(matched(rows, [a_nodule, *nodules], exclusions))
    assert (np.diff(froc.fp_per_scan) >= 0).all()
    assert (np.diff(froc.sensitivity) >= 0).all()
    assert (np.diff(froc.threshold) < 0).all()
    assert 0.0 <= cpm(froc) <= froc.sensitivity[-1] <= 1.0
    assert (np.diff(sensitivity_at(froc)) >= 0).all()


@given(marks, findings, findings, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, nodules, exclusions, random):
    before = matched(rows, [a_nodule, *nodules], exclusions)
    shuffled = [random.sample(part, len(part)) for part in (rows, [a_nodule, *nodules], exclusions)]
    after = matched(*shuffled)
    assert before.counts() == after.counts()
    assert cpm(froc_curve(before)) == cpm(froc_curve(after))


@given(marks, findings, findings, st.sampled_from([lambda p: p**3, lambda p: 5 * p - 90, np.exp]))
def test_only_the_order_of_scores_matters(rows, nodules, exclusions, change):
    before = matched(rows, [a_nodule, *nodules], exclusions)
    after = matched([(where, float(change(p))) for where, p in rows], [a_nodule, *nodules], exclusions)
    assert (before.mark_fate == after.mark_fate).all()
    assert cpm(froc_curve(before)) == cpm(froc_curve(after))


@given(marks, findings, findings)
def test_an_excluded_finding_never_lowers_the_cpm(rows, nodules, exclusions):
    without = cpm(froc_curve(matched(rows, [a_nodule, *nodules], [])))
    assert cpm(froc_curve(matched(rows, [a_nodule, *nodules], exclusions))) >= without - 1e-12


@given(marks, findings, findings, probability)
def test_a_further_false_positive_never_raises_the_cpm(rows, nodules, exclusions, score):
    before = cpm(froc_curve(matched(rows, [a_nodule, *nodules], exclusions)))
    far = (("b", 500.0, 0.0, 0.0), score)
    assert cpm(froc_curve(matched([*rows, far], [a_nodule, *nodules], exclusions))) <= before + 1e-12


class Fixed:
    """A generator that draws the scans it is told to."""

    def __init__(self, draws):
        self.draws = list(draws)

    def integers(self, _low, _high, _size):
        return np.array(self.draws.pop(0))


@settings(max_examples=50)
@given(marks, findings, findings, st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_a_bootstrap_sample_is_the_evaluation_of_the_scans_it_drew(rows, nodules, exclusions, drawn):
    """A scan drawn twice counts as two scans with the same marks and nodules."""
    everything = [rows, [a_nodule, (("b", 0.0, 0.0, 0.0), 6.0), *nodules], exclusions]
    sample = bootstrap_froc(matched(*everything), 1, Fixed([drawn]))[0]
    names = [f"{SERIES[scan]}{copy}" for copy, scan in enumerate(drawn)]
    copies = [
        [((name, *where[1:]), value) for name in names for where, value in part if where[0] == name[0]]
        for part in everything
    ]
    columns = ["probability", "diameter_mm", "diameter_mm"]
    copied = [table(part, column) for part, column in zip(copies, columns, strict=True)]
    expected = sensitivity_at(froc_curve(match(*copied, names)), FP_RATES)
    np.testing.assert_allclose(sample, expected, atol=1e-12)


@given(marks, findings, findings)
def test_evaluating_a_part_of_the_scans_is_the_same_as_listing_only_those(rows, nodules, exclusions):
    part = only_scans(matched(rows, nodules, exclusions), np.array([True, False, True]))
    tables = table(rows, "probability"), table(nodules, "diameter_mm"), table(exclusions, "diameter_mm")
    alone = match(*tables, ["a", "c"])
    assert part.counts() == alone.counts()
    assert part.series_uids == alone.series_uids
    np.testing.assert_array_equal(froc_curve(part).sensitivity, froc_curve(alone).sensitivity)
