"""Judge a study: detection by the official rules, nodules against false alarms, malignancy of nodules and patients."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungpipe.evaluation.malignancy import hit_malignancy, malignancy_figures, patient_figures
from lungpipe.evaluation.matching import Fate
from lungpipe.evaluation.ranking import auc, auc_ci
from lungpipe.evaluation.report import plain
from lungpipe.evaluation.study import Verdict, judge, write_evaluation
from lungpipe.evaluation.submission import write_submission
from lungpipe.patients.fold_cuts import choose_fold_cuts
from lungpipe.patients.study_tables import StudyTables
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import replacing, write_json

__all__ = ["StudyTables", "headline", "judge_study", "nodule_auc", "write_study"]


def judge_study(
    tables: StudyTables, settings: EvaluationSettings, *, folds: list[int], num_subsets: int, seed: int
) -> Verdict:
    """Judge the folds together: every scan of their test subsets counts, also one that could not be prepared.

    The report is that of the judge, with `folds`, `nodule_auc`, `malignancy` (of the nodules that were hit, at
    thresholds that each fold's validation subset chose) and `patients` beside it. Figures that a study cannot have
    (one class only) are None.
    """
    judged = tables.of_subsets(folds)
    subset_of = {row.series_uid: str(row.subset) for row in judged.series.itertuples()}
    verdict = judge(
        judged.scored,
        judged.nodules,
        judged.exclusions,
        judged.series["series_uid"].tolist(),
        num_bootstraps=settings.num_bootstraps,
        seed=seed,
        subset_of=subset_of,
    )
    rng = np.random.default_rng([seed, 1])
    ranked = nodule_auc(verdict, settings.num_bootstraps, rng)
    malignancy, warnings = _malignancy(verdict, tables, settings, num_subsets=num_subsets, rng=rng)
    patients = _patients(judged.patients, settings, rng)
    verdict.report["warnings"] += warnings
    verdict.report.update(plain({"folds": folds, "nodule_auc": ranked, "malignancy": malignancy, "patients": patients}))
    return verdict


def nodule_auc(verdict: Verdict, num_bootstraps: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the AUC of nodules against false positives over the candidates, with its interval.

    Candidates on excluded findings, second marks of a nodule and marks above the cap count as neither.
    """
    fate = verdict.matches.mark_fate
    counted = (fate == Fate.HIT) | (fate == Fate.FALSE_POSITIVE)
    labels = (fate[counted] == Fate.HIT).astype(np.float64)
    scores = verdict.matches.mark_probability[counted]
    figures: dict[str, Any] = {"num_nodules": int(labels.sum()), "num_false_positives": int((labels == 0).sum())}
    if 0 < labels.sum() < len(labels):
        figures["auc"] = auc(labels, scores)
        figures["auc_ci95"] = auc_ci(labels, scores, num_bootstraps=num_bootstraps, rng=rng)
    return {"auc": None, "auc_ci95": None} | figures


def write_study(verdict: Verdict, patients: pd.DataFrame, folder: Path) -> None:
    """Write evaluation.json, froc.csv, matches.parquet, submission.csv (LUNA16's columns) and patients.csv."""
    write_evaluation(verdict, folder)
    write_json(folder / "evaluation.json", verdict.report)
    write_submission(verdict.marks, folder / "submission.csv")
    with replacing(folder / "patients.csv") as temporary:
        patients.to_csv(temporary, index=False)


def headline(report: dict[str, Any]) -> dict[str, float]:
    """Return the figures that compare recipes; those that a study does not have are left out."""
    figures = {
        "cpm": report["cpm"],
        "cpm_low": report["cpm_ci95"][0],
        "cpm_high": report["cpm_ci95"][1],
        "sensitivity_max": report["sensitivity_max"],
        "num_scans": report["num_scans"],
        "nodule_auc": report["nodule_auc"]["auc"],
        "malignancy_auc": _nested(report, "malignancy", "model", "auc"),
        "malignancy_auc_diameter_only": _nested(report, "malignancy", "diameter_only", "auc"),
        "malignancy_accuracy": _nested(report, "malignancy", "model", "accuracy"),
        "malignancy_f1": _nested(report, "malignancy", "model", "f1"),
        "malignancy_f1_diameter_only": _nested(report, "malignancy", "diameter_only", "f1"),
        "patient_auc_max": _nested(report, "patients", "max", "auc"),
        "patient_auc_noisy_or": _nested(report, "patients", "noisy_or", "auc"),
        "patient_auc_diameter_only": _nested(report, "patients", "diameter_only", "auc"),
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def _malignancy(
    verdict: Verdict, tables: StudyTables, settings: EvaluationSettings, *, num_subsets: int, rng: np.random.Generator
) -> tuple[dict[str, Any] | None, list[str]]:
    rule = settings.malignancy_rule
    if verdict.marks["malignancy"].isna().any():
        return None, ["no_malignancy: the recipe has no scorer, so that the study has no figures of malignancy"]
    hits = hit_malignancy(verdict.matches, verdict.marks, verdict.nodules, rule)
    for column in ("patient_id", "subset"):
        hits[column] = hits["series_uid"].map(tables.series.set_index("series_uid")[column])
    known = hits[hits["malignancy_label"].notna()]
    if known["malignancy_label"].nunique() < 2:
        return None, []
    # fold k is judged on subset k: only folds with something to decide need thresholds
    folds = sorted(int(subset) for subset in known["subset"].unique())
    cuts, warnings = choose_fold_cuts(tables, rule, folds=folds, num_subsets=num_subsets)
    figures = malignancy_figures(known, rule=rule, num_bootstraps=settings.num_bootstraps, rng=rng, cuts=cuts)
    return figures, warnings


def _patients(patients: pd.DataFrame, settings: EvaluationSettings, rng: np.random.Generator) -> dict[str, Any] | None:
    if patients["is_malignant"].dropna().nunique() < 2 or patients["malignancy_max"].isna().any():
        return None
    return patient_figures(patients, num_bootstraps=settings.num_bootstraps, rng=rng)


def _nested(report: dict[str, Any], *keys: str) -> float | None:
    value: Any = report
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
