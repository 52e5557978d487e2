"""Malignancy of nodules and patients; each figure is given for the model and for the diameter alone."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.bootstrap import compare, interval
from lungpipe.evaluation.calibration import brier, calibration_curve, ece
from lungpipe.evaluation.cutoffs import Cuts, decisions
from lungpipe.evaluation.ranking import auc, auc_samples, average_precision
from lungpipe.evaluation.strata import diameter_bin_names, diameter_bins
from lungpipe.settings.study import MalignancyRule

FloatArray = NDArray[np.float64]


def malignancy_figures(
    nodules: pd.DataFrame,
    *,
    rule: MalignancyRule,
    num_bootstraps: int,
    rng: np.random.Generator,
    cuts: Mapping[int, Cuts] | None = None,
) -> dict[str, Any]:
    """Return the figures of labelled nodules for the model and for the diameter alone.

    `nodules` has the columns malignancy (probability), malignancy_label, diameter_mm, optionally patient_id (drawn
    whole by the bootstrap; else every nodule is drawn for itself) and subset. Accuracy, F1 and the calibration of the
    baseline need `cuts`: for each subset the values that were chosen on its validation subset. Without `cuts` these
    figures are None.

    Raises:
        LeakError: cuts that were chosen on the evaluated subset.
    """
    known = nodules[nodules["malignancy_label"].notna()].reset_index(drop=True)
    labels = known["malignancy_label"].to_numpy(dtype=np.float64)
    groups = known["patient_id"].tolist() if "patient_id" in known else None
    scores = {"model": known["malignancy"], "diameter_only": known["diameter_mm"]}
    seed = int(rng.integers(2**63))
    samples = {
        name: auc_samples(labels, score, num_bootstraps, np.random.default_rng(seed), groups=groups)
        for name, score in scores.items()
    }
    figures: dict[str, Any] = {
        "label_rule": rule,
        "num_nodules": len(known),
        "num_malignant": int(labels.sum()),
        **{name: _ranking(labels, score, samples[name]) for name, score in scores.items()},
        "by_diameter": _by_diameter(labels, known),
    }
    difference = figures["model"]["auc"] - figures["diameter_only"]["auc"]
    figures["auc_difference"] = asdict(compare(samples["diameter_only"], samples["model"], difference))
    figures["model"] |= _calibration(labels, known["malignancy"])
    for name, decided in decisions(known, cuts).items():
        figures[name] |= decided
    return figures


def patient_figures(patients: pd.DataFrame, *, num_bootstraps: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return AUC and interval of patients with a label and a malignancy, by every aggregate and by the diameter alone.

    `patients` is the table PATIENTS. `score` is the aggregate that the recipe names. Patients without a malignancy (no
    scan could be prepared) are counted in `num_without_malignancy`.
    """
    labelled = patients[patients["is_malignant"].notna()]
    known = labelled[labelled["malignancy"].notna()]
    labels = known["is_malignant"].to_numpy(dtype=np.float64)
    seed = int(rng.integers(2**63))
    columns = {
        "score": "malignancy",
        "max": "malignancy_max",
        "noisy_or": "malignancy_noisy_or",
        "top_mean": "malignancy_top_mean",
        "diameter_only": "diameter_max_mm",
    }
    figures: dict[str, Any] = {
        "num_patients": len(known),
        "num_malignant": int(labels.sum()),
        "num_without_malignancy": len(labelled) - len(known),
    }
    for name, column in columns.items():
        samples = auc_samples(labels, known[column], num_bootstraps, np.random.default_rng(seed))
        figures[name] = _ranking(labels, known[column], samples)
    return figures


def _ranking(labels: FloatArray, scores: ArrayLike, samples: FloatArray) -> dict[str, Any]:
    return {
        "auc": auc(labels, scores),
        "auc_ci95": [float(value) for value in interval(samples)],
        "average_precision": average_precision(labels, scores),
    }


def _calibration(labels: FloatArray, probabilities: ArrayLike) -> dict[str, Any]:
    curve = calibration_curve(labels, probabilities)
    return {
        "brier": brier(labels, probabilities),
        "ece": ece(labels, probabilities),
        "calibration": [asdict(part) for part in curve],
    }


def _by_diameter(labels: FloatArray, nodules: pd.DataFrame) -> list[dict[str, Any]]:
    bins = np.array(diameter_bins(nodules["diameter_mm"]))
    return [
        {
            "name": name,
            "num_nodules": int((bins == name).sum()),
            "num_malignant": int(labels[bins == name].sum()),
            "model_auc": auc(labels[bins == name], nodules["malignancy"][bins == name]),
            "diameter_only_auc": auc(labels[bins == name], nodules["diameter_mm"][bins == name]),
            "model_average_precision": average_precision(labels[bins == name], nodules["malignancy"][bins == name]),
            "model_brier": brier(labels[bins == name], nodules["malignancy"][bins == name]),
        }
        for name in diameter_bin_names()
        if (bins == name).any()
    ]
