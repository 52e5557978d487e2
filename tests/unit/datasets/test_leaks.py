"""Every leak is planted and seen refused."""

import pytest

from lungpipe.datasets.leaks import Chosen, LeakError, refuse_overlap

PATIENTS = {"s1": "p1", "s2": "p2", "s2b": "p2", "s3": "p3"}


def test_different_scans_of_different_patients_pass():
    refuse_overlap(["s1", "s2"], ["s3"], PATIENTS)


def test_the_same_scan_on_both_sides_is_refused():
    with pytest.raises(LeakError, match=r"series s2: .*found in both"):
        refuse_overlap(["s1", "s2"], ["s2", "s3"], PATIENTS)


def test_two_scans_of_one_patient_on_both_sides_are_refused():
    with pytest.raises(LeakError, match=r"patient p2: .*series s2 in training and s2b in testing"):
        refuse_overlap(["s1", "s2"], ["s2b"], PATIENTS)


def test_two_scans_of_one_patient_on_one_side_pass():
    refuse_overlap(["s2", "s2b"], ["s1"], PATIENTS)


@pytest.mark.parametrize("sides", [(["s9"], ["s1"]), (["s1"], ["s9"])])
def test_a_scan_whose_patient_is_not_known_is_refused(sides):
    with pytest.raises(LeakError, match="series s9: expected its patient"):
        refuse_overlap(*sides, PATIENTS)


def test_a_threshold_serves_other_subsets_than_the_one_it_was_chosen_on():
    threshold = Chosen("threshold", 0.4, frozenset({4}))
    assert threshold.for_subset(3) == 0.4
    with pytest.raises(LeakError, match=r"threshold: expected to be chosen on other subsets than 4, found \[4\]"):
        threshold.for_subset(4)


def test_a_threshold_must_know_where_it_was_chosen():
    with pytest.raises(LeakError, match="expected the subsets"):
        Chosen("threshold", 0.4, frozenset())
