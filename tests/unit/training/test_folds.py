"""Every leak into training is planted and seen refused."""

from dataclasses import replace

import pandas as pd
import pytest

from lungpipe.datasets.folds import split_fold
from lungpipe.evaluation.errors import LeakError
from lungpipe.tables import SERIES
from lungpipe.training.folds import refuse_leaks, split_for_training


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
