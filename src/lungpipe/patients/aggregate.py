"""Malignancy per patient: maximum over the candidates, noisy-OR, mean of the highest; and the nodule that decides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.geometry import Grid
from lungpipe.patients.deciding import find_deciding
from lungpipe.settings.recipe import PatientSettings
from lungpipe.tables import PATIENTS

if TYPE_CHECKING:
    from lungpipe.settings.study import MalignancyRule

MAXIMUM = PatientSettings()
COUNTED_PROBABILITY = 0.5
"""Candidates from this probability on count for the patient's largest diameter."""


def aggregate_folds(
    tables: StudyTables,
    *,
    folds: Sequence[int],
    rule: "MalignancyRule",
    patient: PatientSettings = MAXIMUM,
    grids: Mapping[str, Grid] | None = None,
) -> pd.DataFrame:
    """Return the patients of all folds (contract PATIENTS): fold k's candidates count on the series of subset k.

    `grids` are those of the stored volumes by series: a series without a volume could not be prepared. None: all could.
    """
    parts = []
    for fold in folds:
        series = tables.series[tables.series["subset"] == fold]
        own = replace(tables, scored=tables.scored[tables.scored["fold"] == fold], series=series)
        parts.append(aggregate_patients(own, fold=fold, rule=rule, patient=patient, grids=grids))
    return PATIENTS.conform(pd.concat(parts, ignore_index=True))


def aggregate_patients(
    tables: StudyTables,
    *,
    fold: int,
    rule: "MalignancyRule",
    patient: PatientSettings = MAXIMUM,
    grids: Mapping[str, Grid] | None = None,
) -> pd.DataFrame:
    """Return one row per patient of `tables.series` (the evaluated scans), patients without candidates included.

    A candidate's risk is probability x malignancy: the candidate must be a nodule, and malignant. Patient = maximum:
    Stevens, Antiga and Viehmann, *Deep Learning with PyTorch*, ch. 14; noisy-OR: Liao et al., IEEE TNNLS 2019; and the
    mean of the highest `patient.num_top` risks. `malignancy` is the one that `patient.aggregate` names. Nothing but
    `is_malignant` depends on the truth.

    A patient with candidates of unknown malignancy (a recipe without a scorer), or without a prepared scan, has no
    malignancy, and `remark` says why.
    """
    series, rated = tables.series, tables.nodules
    patient_of = series.set_index("series_uid")["patient_id"]
    own = tables.scored[tables.scored["series_uid"].isin(patient_of.index)]
    own = own.assign(risk=own["probability"] * own["malignancy"], patient_id=own["series_uid"].map(patient_of))
    by_patient = {str(name): group for name, group in own.groupby("patient_id")}
    rated = rated[rated["series_uid"].isin(patient_of.index)]
    labels = pd.Series(malignancy_labels(rated["malignancy_ratings"], rule), rated.index)
    known = labels.groupby(rated["series_uid"].map(patient_of)).max().astype(float)
    rows = []
    for patient_id, scans in series.groupby("patient_id"):
        uids = scans["series_uid"].tolist()
        num_failed = 0 if grids is None else sum(uid not in grids for uid in uids)
        candidates = by_patient.get(str(patient_id), own.iloc[:0])
        row = {"patient_id": patient_id, "fold": fold, "num_scans": len(uids), "num_failed_scans": num_failed}
        row |= _aggregate(candidates, patient, is_seen=num_failed < len(uids))
        row |= {"remark": _remark(candidates, num_failed, len(uids))} | find_deciding(candidates, grids)
        # a patient without annotated nodules has no malignant nodule
        rows.append(row | {"is_malignant": float(known.get(patient_id, 0.0))})
    return PATIENTS.conform(pd.DataFrame(rows, columns=list(PATIENTS.columns)))


def _aggregate(candidates: pd.DataFrame, patient: PatientSettings, *, is_seen: bool) -> dict[str, float]:
    risks = np.sort(candidates["risk"].to_numpy(dtype=np.float64))[::-1]
    figures = {"maximum": np.nan, "noisy_or": np.nan, "top_mean": np.nan}
    if is_seen and not np.isnan(risks).any():
        top = risks[: patient.num_top]
        figures = {
            "maximum": float(risks.max(initial=0.0)),
            "noisy_or": noisy_or(risks),
            "top_mean": float(top.sum() / patient.num_top),
        }
    is_counted = candidates["probability"] >= COUNTED_PROBABILITY
    largest = candidates.loc[is_counted, "diameter_mm"].max()
    return {
        "num_candidates": len(candidates),
        "malignancy": figures[patient.aggregate],
        "malignancy_max": figures["maximum"],
        "malignancy_noisy_or": figures["noisy_or"],
        "malignancy_top_mean": figures["top_mean"],
        "diameter_max_mm": 0.0 if np.isnan(largest) else float(largest),
    }


def _remark(candidates: pd.DataFrame, num_failed: int, num_scans: int) -> str:
    if num_failed:
        return f"{num_failed} of {num_scans} scans could not be prepared, for instance because no lungs were found"
    if candidates["malignancy"].isna().any():
        return "no malignancy: the recipe has no scorer"
    return "" if len(candidates) else "no candidates"


def noisy_or(risks: NDArray[np.float64]) -> float:
    """Return 1 - product of (1 - risk): the probability of any, if the risks were independent; 0 without risks."""
    return float(1.0 - np.prod(1.0 - risks))
