"""Malignancy per patient: maximum over the candidates, and noisy-OR."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.tables import PATIENTS

if TYPE_CHECKING:
    from lungpipe.settings.study import MalignancyRule

COUNTED_PROBABILITY = 0.5
"""Candidates from this probability on count for the patient's largest diameter."""


def aggregate_folds(
    scored: pd.DataFrame, series: pd.DataFrame, nodules: pd.DataFrame, *, folds: Sequence[int], rule: "MalignancyRule"
) -> pd.DataFrame:
    """Return the patients of all folds (contract PATIENTS): fold k's candidates count on the series of subset k."""
    parts = ((fold, scored[scored["fold"] == fold], series[series["subset"] == fold]) for fold in folds)
    tables = [aggregate_patients(marks, evaluated, nodules, fold=fold, rule=rule) for fold, marks, evaluated in parts]
    return PATIENTS.conform(pd.concat(tables, ignore_index=True))


def aggregate_patients(
    scored: pd.DataFrame, series: pd.DataFrame, nodules: pd.DataFrame, *, fold: int, rule: "MalignancyRule"
) -> pd.DataFrame:
    """Return one row per patient of `series` (the evaluated scans), patients without candidates included.

    A candidate contributes probability x malignancy: it must be a nodule, and malignant. Patient = maximum:
    Stevens, Antiga and Viehmann, *Deep Learning with PyTorch*, ch. 14; noisy-OR: Liao et al., IEEE TNNLS 2019.
    A patient with candidates of unknown malignancy (a recipe without a scorer) has no malignancy figure.
    """
    patient_of = series.set_index("series_uid")["patient_id"]
    own = scored[scored["series_uid"].isin(patient_of.index)]
    risk = (own["probability"] * own["malignancy"]).groupby(own["series_uid"].map(patient_of))
    is_counted = own["probability"] >= COUNTED_PROBABILITY
    diameter = own["diameter_mm"].where(is_counted, 0.0).groupby(own["series_uid"].map(patient_of))
    rated = nodules[nodules["series_uid"].isin(patient_of.index)]
    labels = pd.Series(malignancy_labels(rated["malignancy_ratings"], rule), rated.index)
    scans = series.groupby("patient_id").size().sort_index()
    patients = pd.DataFrame({"patient_id": scans.index, "fold": fold, "num_scans": scans.to_numpy()})
    columns = {
        "num_candidates": risk.size(),
        "malignancy_max": risk.agg(lambda values: values.max(skipna=False)),
        "malignancy_noisy_or": risk.agg(lambda values: noisy_or(values.to_numpy())),
        "diameter_max_mm": diameter.max(),
    }
    for name, values in columns.items():
        found = patients["patient_id"].map(values)
        # 0 without candidates; unknown if the malignancy of candidates is unknown
        is_without = ~patients["patient_id"].isin(values.index)
        patients[name] = found.mask(is_without, 0.0) if name.startswith("malignancy_") else found.fillna(0.0)
    known = labels.groupby(rated["series_uid"].map(patient_of)).max()
    patients["is_malignant"] = patients["patient_id"].map(known).astype(float)
    # a patient without annotated nodules has no malignant nodule
    patients.loc[~patients["patient_id"].isin(rated["series_uid"].map(patient_of)), "is_malignant"] = 0.0
    return PATIENTS.conform(patients)


def noisy_or(risks: NDArray[np.float64]) -> float:
    """Return 1 - product of (1 - risk): the probability of any, if the risks were independent; 0 without risks."""
    return float(1.0 - np.prod(1.0 - risks))
