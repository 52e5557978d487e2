"""The split that a fold trains on, with every leak refused before a network sees a scan."""

import pandas as pd

from lungpipe.datasets.folds import Split, split_fold
from lungpipe.evaluation.leaks import refuse_overlap


def split_for_training(series: pd.DataFrame, fold: int, num_subsets: int) -> Split:
    """Return the split of a fold (see `split_fold`) after checking it against the patients of the series table.

    Raises:
        LeakError: a scan or a patient on two of the three sides.
    """
    split = split_fold(series, fold, num_subsets)
    refuse_leaks(split, series)
    return split


def refuse_leaks(split: Split, series: pd.DataFrame) -> None:
    """Check that training, validation and test series share no scan and no patient (table SERIES); else LeakError."""
    patient_of = dict(zip(series["series_uid"], series["patient_id"], strict=True))
    refuse_overlap((*split.training_uids, *split.validation_uids), split.test_uids, patient_of)
    refuse_overlap(split.training_uids, split.validation_uids, patient_of)
