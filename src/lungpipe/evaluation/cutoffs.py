"""Thresholds on malignancy: chosen for each fold on its validation subset, and the decisions at them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lungpipe.datasets.folds import split_fold
from lungpipe.datasets.leaks import Chosen
from lungpipe.evaluation.calibration import accuracy_f1, best_threshold, brier, ece, fit_logistic, logistic
from lungpipe.evaluation.labels import hit_malignancy
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.settings.study import MalignancyRule


@dataclass(frozen=True, slots=True)
class Cuts:
    """Values chosen on a validation subset: the thresholds of model and baseline, and the baseline's calibration."""

    model: Chosen
    diameter_only: Chosen
    intercept: Chosen
    slope: Chosen


def choose_cuts(validation: pd.DataFrame, chosen_on: int) -> Cuts:
    """Choose on the labelled nodules of subset `chosen_on` (columns malignancy, malignancy_label, diameter_mm).

    Thresholds maximise F1; the baseline is a logistic regression of the label on the diameter (mm).

    Raises:
        ValueError: no labelled nodule.
    """
    known = validation[validation["malignancy_label"].notna()]
    labels, subsets = known["malignancy_label"].to_numpy(dtype=np.float64), frozenset({chosen_on})
    intercept, slope = fit_logistic(labels, known["diameter_mm"])
    return Cuts(
        Chosen("malignancy threshold", best_threshold(labels, known["malignancy"]), subsets),
        Chosen("diameter threshold", best_threshold(labels, known["diameter_mm"]), subsets),
        Chosen("intercept of the diameter baseline", intercept, subsets),
        Chosen("slope of the diameter baseline", slope, subsets),
    )


def choose_fold_cuts(
    tables: StudyTables, rule: MalignancyRule, *, folds: Iterable[int], num_subsets: int
) -> tuple[dict[int, Cuts] | None, list[str]]:
    """Return the cuts of each fold for its test subset, and a warning for each fold without cuts.

    A validation subset needs labelled nodules of both classes that the fold's candidates hit. If one fold has no
    cuts, the result is None: figures over a part of the nodules are not comparable with figures over all nodules.
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


def decisions(nodules: pd.DataFrame, cuts: Mapping[int, Cuts] | None) -> dict[str, dict[str, Any]]:
    """Return accuracy and F1 of model and diameter_only, and the baseline's Brier score and calibration error.

    `nodules` has the columns malignancy, malignancy_label, diameter_mm and subset; `cuts` holds for each subset the
    values that were chosen on another subset. Without cuts every figure is None.

    Raises:
        LeakError: cuts that were chosen on the evaluated subset.
        ValueError: a subset without cuts.
    """
    names = {"model": ("accuracy", "f1"), "diameter_only": ("accuracy", "f1", "brier", "ece")}
    if cuts is None:
        return {name: dict.fromkeys(figures) for name, figures in names.items()}
    if missing := sorted(set(nodules["subset"]) - set(cuts)):
        raise ValueError(f"malignancy: expected cuts for subset {missing[0]}, found them for {sorted(cuts)}")
    labels = nodules["malignancy_label"].to_numpy(dtype=np.float64)
    diameter = nodules["diameter_mm"].to_numpy(dtype=np.float64)
    is_malignant, is_large = np.zeros((2, len(nodules)), dtype=bool)
    probability = np.zeros(len(nodules))
    for subset in sorted(set(nodules["subset"])):
        inside, own = (nodules["subset"] == subset).to_numpy(), cuts[subset]
        is_malignant[inside] = nodules["malignancy"].to_numpy()[inside] >= own.model.for_subset(subset)
        is_large[inside] = diameter[inside] >= own.diameter_only.for_subset(subset)
        linear = own.intercept.for_subset(subset) + own.slope.for_subset(subset) * diameter[inside]
        probability[inside] = logistic(linear)
    figures = {
        "model": accuracy_f1(labels, is_malignant),
        "diameter_only": (*accuracy_f1(labels, is_large), brier(labels, probability), ece(labels, probability)),
    }
    return {name: dict(zip(names[name], values, strict=True)) for name, values in figures.items()}
