"""Cross-validation by LUNA16's subsets: patients are kept apart, and a leak is refused before training."""

from dataclasses import dataclass

import pandas as pd

from lungpipe.datasets.leaks import refuse_overlap


@dataclass(frozen=True, slots=True)
class Split:
    """The series of one fold, each tuple sorted; patients of test or validation series are not in training.

    `fold` is None for a model that learns from all series: nothing is left to choose on or to test.
    """

    fold: int | None
    training_uids: tuple[str, ...]
    validation_uids: tuple[str, ...]
    test_uids: tuple[str, ...]


def split_fold(series: pd.DataFrame, fold: int, num_subsets: int) -> Split:
    """Split the series (contract SERIES) for one fold: test = subset `fold`, validation = subset (fold + 1) mod n.

    Scans of test patients are left out of validation and training, scans of validation patients out of training.

    Raises:
        ValueError: a fold or a subset outside 0..num_subsets-1, or fewer than three subsets.
    """
    if num_subsets < 3 or not 0 <= fold < num_subsets:
        raise ValueError(f"fold: expected 0 to {num_subsets - 1} of at least 3 subsets, found {fold} of {num_subsets}")
    outside = series[~series["subset"].between(0, num_subsets - 1)]
    if len(outside):
        row = outside.iloc[0]
        expected = f"a subset from 0 to {num_subsets - 1}"
        raise ValueError(f"series {row['series_uid']}: expected {expected}, found {row['subset']}")
    is_test = series["subset"] == fold
    test_patients = series.loc[is_test, "patient_id"]
    is_free = ~series["patient_id"].isin(test_patients)
    is_validation = (series["subset"] == (fold + 1) % num_subsets) & is_free
    validation_patients = series.loc[is_validation, "patient_id"]
    is_training = ~series["subset"].isin([fold, (fold + 1) % num_subsets]) & is_free
    is_training &= ~series["patient_id"].isin(validation_patients)
    return Split(fold, *(_uids(series[rows]) for rows in (is_training, is_validation, is_test)))


def split_for_training(series: pd.DataFrame, fold: int, num_subsets: int) -> Split:
    """Return the split of a fold (see `split_fold`) after checking it against the patients of the series table.

    Raises:
        LeakError: a scan or a patient in two of training, validation and test series.
    """
    split = split_fold(series, fold, num_subsets)
    refuse_leaks(split, series)
    return split


def keep_all_for_training(series: pd.DataFrame) -> Split:
    """Return the split of a model that learns from all series (contract SERIES), without validation and test series."""
    return Split(None, _uids(series), (), ())


def refuse_leaks(split: Split, series: pd.DataFrame) -> None:
    """Check that training, validation and test series share no scan and no patient (table SERIES); else LeakError."""
    patient_of = dict(zip(series["series_uid"], series["patient_id"], strict=True))
    refuse_overlap((*split.training_uids, *split.validation_uids), split.test_uids, patient_of)
    refuse_overlap(split.training_uids, split.validation_uids, patient_of)


def _uids(series: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted(series["series_uid"]))
