from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungpipe.datasets.folds import refuse_leaks, split_fold, split_for_training
from lungpipe.datasets.leaks import LeakError
from lungpipe.tables import SERIES

ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1, max_size=40)


def table(rows):
    return pd.DataFrame(
        [{"series_uid": f"s{i:03d}", "patient_id": f"p{patient}", "subset": s} for i, (patient, s) in enumerate(rows)]
    )


def test_one_patient_per_scan():
    split = split_fold(table([(i, i % 4) for i in range(8)]), 3, 4)
    assert split.test_uids == ("s003", "s007")
    assert split.validation_uids == ("s000", "s004")
    assert split.training_uids == ("s001", "s002", "s005", "s006")


def test_patient_with_scans_in_two_subsets_never_trains_for_the_own_test():
    rows = [(0, 0), (1, 1), (2, 2), (99, 2), (3, 3), (99, 3), (4, 4)]
    assert "s005" not in split_fold(table(rows), 2, 5).validation_uids
    assert "s003" not in split_fold(table(rows), 3, 5).training_uids
    # while the patient's scans are validated on in fold 1, the other one leaves the training
    assert split_fold(table(rows), 1, 5).validation_uids == ("s002", "s003")
    assert split_fold(table(rows), 1, 5).training_uids == ("s000", "s004", "s006")
    assert {"s003", "s005"} <= set(split_fold(table(rows), 0, 5).training_uids)


@given(ROWS, st.integers(0, 4))
def test_no_series_and_no_patient_in_two_parts(rows, fold):
    series = table(rows)
    split = split_fold(series, fold, 5)
    patients = series.set_index("series_uid")["patient_id"]
    parts = [split.training_uids, split.validation_uids, split.test_uids]
    for i, one in enumerate(parts):
        assert list(one) == sorted(set(one))
        for other in parts[i + 1 :]:
            assert not set(patients[list(one)]) & set(patients[list(other)])
    assert set(split.test_uids) == set(series.loc[series.subset == fold, "series_uid"])


@given(ROWS)
def test_every_series_is_tested_once(rows):
    series = table(rows)
    tested = [uid for fold in range(5) for uid in split_fold(series, fold, 5).test_uids]
    assert sorted(tested) == sorted(series["series_uid"])


@pytest.mark.parametrize(("fold", "num"), [(-1, 5), (5, 5), (0, 2)])
def test_impossible_folds_are_refused(fold, num):
    with pytest.raises(ValueError, match="fold: expected"):
        split_fold(table([(0, 0)]), fold, num)


def test_unknown_subset_is_refused():
    with pytest.raises(ValueError, match="series s000: expected a subset from 0 to 3, found 4"):
        split_fold(table([(0, 4)]), 0, 4)


@pytest.fixture
def series():
    """A scan of a patient in each of five subsets, and a second scan of subset 1's patient in subset 4."""
    rows = [(f"s{subset}", f"p{subset}", subset) for subset in range(5)] + [("s1b", "p1", 4)]
    return SERIES.conform(pd.DataFrame(rows, columns=["series_uid", "patient_id", "subset"]))


@pytest.mark.parametrize("fold", range(5))
def test_the_split_of_every_fold_passes(series, fold):
    assert split_for_training(series, fold, 5) == split_fold(series, fold, 5)


def test_a_scan_of_a_test_patient_does_not_train(series):
    assert "s1b" not in split_for_training(series, 1, 5).training_uids
    assert "s1b" in split_for_training(series, 2, 5).training_uids


@pytest.mark.parametrize(
    ("side", "uid", "message"),
    [
        ("training_uids", "s1", "series s1: expected in training or in testing, found in both"),
        ("validation_uids", "s1", "series s1: expected in training or in testing, found in both"),
        ("training_uids", "s1b", "patient p1: expected on one side"),
        ("validation_uids", "s1b", "patient p1: expected on one side"),
        ("training_uids", "s2", "series s2: expected in training or in testing, found in both"),
        ("training_uids", "unknown", "series unknown: expected its patient, found none"),
    ],
)
def test_a_planted_leak_is_refused(series, side, uid, message):
    split = split_fold(series, 1, 5)
    assert split.validation_uids == ("s2",)
    leaking = replace(split, **{side: (*getattr(split, side), uid)})
    with pytest.raises(LeakError, match=message):
        refuse_leaks(leaking, series)
