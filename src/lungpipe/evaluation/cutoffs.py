"""Decisions on malignancy at thresholds that were chosen on a validation subset, for the model and for the diameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lungpipe.datasets.leaks import Chosen
from lungpipe.evaluation.calibration import accuracy_f1, best_threshold, brier, ece, fit_logistic, logistic


@dataclass(frozen=True, slots=True)
class Cuts:
    """What was chosen on a validation subset: the thresholds of model and baseline, and the baseline's calibration."""

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


def decisions(nodules: pd.DataFrame, cuts: Mapping[int, Cuts] | None) -> dict[str, dict[str, Any]]:
    """Return accuracy and F1 of model and diameter_only, and the baseline's Brier score and calibration error.

    `nodules` has the columns malignancy, malignancy_label, diameter_mm and subset; `cuts` holds for each subset what
    was chosen for it elsewhere. Without cuts every figure is None.

    Raises:
        LeakError: cuts that were chosen on the subset they are to judge.
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
