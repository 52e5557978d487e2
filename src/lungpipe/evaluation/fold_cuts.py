"""Thresholds on malignancy, for each fold on the nodules that it hit in its validation subset."""

from collections.abc import Iterable

import pandas as pd

from lungpipe.datasets.folds import split_fold
from lungpipe.evaluation.cutoffs import Cuts, choose_cuts
from lungpipe.evaluation.malignancy import hit_malignancy
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.settings.study import MalignancyRule


def choose_fold_cuts(
    tables: StudyTables, rule: MalignancyRule, *, folds: Iterable[int], num_subsets: int
) -> tuple[dict[int, Cuts] | None, list[str]]:
    """Return what each fold's validation subset chose for its test subset, and a warning for each that could not.

    A validation subset needs labelled nodules of both classes that the fold's candidates hit. Where one fold has no
    cuts the study has none (None): figures over a part of the nodules would not stand beside those over all.
    """
    cuts, warnings = {}, []
    for fold in folds:
        subset = (fold + 1) % num_subsets
        hits = validation_hits(tables, rule, fold, num_subsets)
        labels = hits["malignancy_label"].dropna()
        if labels.nunique() == 2:
            cuts[fold] = choose_cuts(hits, chosen_on=subset)
        else:
            num_malignant = int(labels.sum())
            warnings.append(
                f"no_malignancy_cuts: fold {fold} hit {num_malignant} malignant and {len(labels) - num_malignant} "
                f"benign nodules in subset {subset}, where its thresholds are chosen; without both there are none, and "
                "the study has no accuracy and no F1 of malignancy"
            )
    return (None if warnings else cuts), warnings


def validation_hits(tables: StudyTables, rule: MalignancyRule, fold: int, num_subsets: int) -> pd.DataFrame:
    """Return the nodules of the fold's validation series that its candidates hit (columns of `hit_malignancy`)."""
    split = split_fold(tables.series, fold, num_subsets)
    truth = tables.of_series(split.validation_uids)
    marks = tables.validation
    marks = marks[(marks["fold"] == fold) & marks["series_uid"].isin(split.validation_uids)].reset_index(drop=True)
    if not split.validation_uids:
        # the subset holds only scans of patients of the test subset
        return pd.DataFrame({name: [] for name in ("series_uid", "malignancy", "malignancy_label", "diameter_mm")})
    matches = match(marks, truth.nodules, truth.exclusions, split.validation_uids)
    return hit_malignancy(matches, marks, truth.nodules, rule)
