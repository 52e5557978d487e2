"""Judge a study: detection by the official rules, nodules against false alarms, malignancy of nodules and patients."""

from dataclasses import dataclass
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
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import replacing, write_json


@dataclass(frozen=True, slots=True)
class StudyTables:
    """Everything that is judged, over all folds that ran: scored candidates, patients, and the truth of the dataset."""

    scored: pd.DataFrame
    patients: pd.DataFrame
    series: pd.DataFrame
    nodules: pd.DataFrame
    exclusions: pd.DataFrame

    def of_subsets(self, subsets: list[int]) -> "StudyTables":
        """Return the part of the truth that lies in the judged subsets."""
        series = self.series[self.series["subset"].isin(subsets)].reset_index(drop=True)
        inside = set(series["series_uid"])
        nodules = self.nodules[self.nodules["series_uid"].isin(inside)].reset_index(drop=True)
        exclusions = self.exclusions[self.exclusions["series_uid"].isin(inside)].reset_index(drop=True)
        return StudyTables(self.scored, self.patients, series, nodules, exclusions)


def judge_study(tables: StudyTables, settings: EvaluationSettings, *, folds: list[int], seed: int) -> Verdict:
    """Judge the folds together: every scan of their test subsets counts, also one that could not be prepared.

    The report is that of the judge, with `folds`, `nodule_auc`, `malignancy` (of the nodules that were hit) and
    `patients` beside it. Figures that a study cannot have (one class only) are None.
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
    verdict.report.update(
        plain(
            {
                "folds": folds,
                "nodule_auc": nodule_auc(verdict, settings.num_bootstraps, rng),
                "malignancy": _malignancy(verdict, judged, settings, rng),
                "patients": _patients(judged.patients, settings, rng),
            }
        )
    )
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
        "patient_auc_max": _nested(report, "patients", "max", "auc"),
        "patient_auc_noisy_or": _nested(report, "patients", "noisy_or", "auc"),
        "patient_auc_diameter_only": _nested(report, "patients", "diameter_only", "auc"),
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def _malignancy(
    verdict: Verdict, judged: StudyTables, settings: EvaluationSettings, rng: np.random.Generator
) -> dict[str, Any] | None:
    hits = hit_malignancy(verdict.matches, verdict.marks, judged.nodules, settings.malignancy_rule)
    hits["patient_id"] = hits["series_uid"].map(judged.series.set_index("series_uid")["patient_id"])
    if hits["malignancy_label"].dropna().nunique() < 2:
        return None
    return malignancy_figures(hits, rule=settings.malignancy_rule, num_bootstraps=settings.num_bootstraps, rng=rng)


def _patients(
    patients: pd.DataFrame, settings: EvaluationSettings, rng: np.random.Generator
) -> dict[str, Any] | None:
    if patients["is_malignant"].dropna().nunique() < 2:
        return None
    return patient_figures(patients, num_bootstraps=settings.num_bootstraps, rng=rng)


def _nested(report: dict[str, Any], *keys: str) -> float | None:
    value: Any = report
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
