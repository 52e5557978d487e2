"""Evaluate a study: detection by the official rules, nodules against false positives, malignancy."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungpipe.evaluation.before_scorer import figures_before, marks_before
from lungpipe.evaluation.cutoffs import choose_fold_cuts
from lungpipe.evaluation.evaluate import Evaluation, evaluate, write_evaluation
from lungpipe.evaluation.labels import hit_malignancy
from lungpipe.evaluation.malignancy import malignancy_figures, patient_figures
from lungpipe.evaluation.matching import Fate
from lungpipe.evaluation.ranking import auc, auc_ci
from lungpipe.evaluation.reference import SUBMISSION, write_command, write_reference
from lungpipe.evaluation.result_tables import FILES_BESIDE, STUDY_FILES, plain
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.evaluation.submission import write_submission
from lungpipe.settings import EvaluationSettings
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import write_csv, write_digests


def evaluate_study(
    tables: StudyTables, settings: EvaluationSettings, *, folds: list[int], num_subsets: int, seed: int
) -> Evaluation:
    """Evaluate all folds together. Every scan of their test subsets counts, also a scan that could not be prepared.

    The summary is that of `evaluate`, plus `folds`, `nodule_auc`, `malignancy` (of hit nodules, at thresholds that were
    chosen on each fold's validation subset), `patients`, and `before_scorer` (the detector's ranking alone). Figures
    that are not defined (one class only) are None.
    """
    evaluated = tables.of_subsets(folds)
    subset_of = {row.series_uid: str(row.subset) for row in evaluated.series.itertuples()}
    evaluation = evaluate(
        evaluated.scored,
        evaluated.nodules,
        evaluated.exclusions,
        evaluated.series["series_uid"].tolist(),
        num_bootstraps=settings.num_bootstraps,
        seed=seed,
        subset_of=subset_of,
    )
    rng = np.random.default_rng([seed, 1])
    ranked = nodule_auc(evaluation, settings.num_bootstraps, rng)
    malignancy, warnings = _malignancy(evaluation, tables, settings, num_subsets=num_subsets, rng=rng)
    patients = _patients(evaluated.patients, settings, rng)
    evaluation.summary["warnings"] += warnings
    evaluation.summary.update(
        plain({"folds": folds, "nodule_auc": ranked, "malignancy": malignancy, "patients": patients})
    )
    before = marks_before(evaluated.scored)
    series_uids = evaluated.series["series_uid"].tolist()
    evaluation.summary["before_scorer"] = (
        None
        if before is None or evaluation.summary["cpm"] is None
        else figures_before(evaluation, before, evaluated.exclusions, series_uids)
    )
    return evaluation


def nodule_auc(evaluation: Evaluation, num_bootstraps: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the AUC of nodules against false positives over the candidates, with its interval.

    Candidates on excluded findings, second marks of a nodule and marks above the cap count as neither.
    """
    fate = evaluation.matches.mark_fate
    counted = (fate == Fate.HIT) | (fate == Fate.FALSE_POSITIVE)
    labels = (fate[counted] == Fate.HIT).astype(np.float64)
    scores = evaluation.matches.mark_probability[counted]
    figures: dict[str, Any] = {"num_nodules": int(labels.sum()), "num_false_positives": int((labels == 0).sum())}
    if 0 < labels.sum() < len(labels):
        figures["auc"] = auc(labels, scores)
        figures["auc_ci95"] = auc_ci(labels, scores, num_bootstraps=num_bootstraps, rng=rng)
    return {"auc": None, "auc_ci95": None} | figures


def hit_table(evaluation: Evaluation, rule: MalignancyRule) -> pd.DataFrame:
    """Return the hit nodules, without names of series, for curves of malignancy.

    Columns: nodule_row (in matches.parquet), malignancy (of the mark; missing without a scorer), malignancy_label
    (missing where unknown), diameter_mm (annotated).
    """
    hits = hit_malignancy(evaluation.matches, evaluation.marks, evaluation.nodules, rule).drop(columns="series_uid")
    hits.insert(0, "nodule_row", np.flatnonzero(evaluation.matches.nodule_mark >= 0))
    return hits


def write_study(evaluation: Evaluation, tables: StudyTables, folder: Path, *, rule: MalignancyRule) -> None:
    """Write the files of `write_evaluation`, submission.csv (LUNA16's columns), hits.csv and patients.csv.

    `rule` labels the nodules of hits.csv. Beside these files: the tables that the submission was evaluated with
    (`write_reference`), and the command that evaluates the submission again (command.txt). digests.json holds the
    digests of all these files, and of whole_scans.csv if that is there already.
    """
    write_evaluation(evaluation, folder)
    write_submission(evaluation.marks, folder / SUBMISSION)
    judged = tables.of_subsets(evaluation.summary["folds"])
    write_reference(judged.series, judged.nodules, judged.exclusions, folder)
    bootstrap = evaluation.summary["bootstrap"]
    write_command(folder, num_bootstraps=bootstrap["num_samples"], seed=bootstrap["seed"])
    write_csv(tables.patients, folder / "patients.csv")
    write_csv(hit_table(evaluation, rule), folder / "hits.csv")
    beside = [folder / name for name in FILES_BESIDE if (folder / name).is_file()]
    write_digests([*(folder / name for name in STUDY_FILES), *beside], folder)


def headline(summary: dict[str, Any]) -> dict[str, float]:
    """Return the figures by which recipes and folds are compared; undefined figures are left out.

    `cpm_fold3` is the CPM of the scans of subset 3 alone, which fold 3 is evaluated on. `nodule_auc_low` and
    `nodule_auc_high` are the bounds of the 95 % interval of `nodule_auc`; the other names of this form are alike.
    """
    figures = {
        "cpm": summary["cpm"],
        "cpm_before_scorer": _nested(summary, "before_scorer", "cpm"),
        "sensitivity_max": summary["sensitivity_max"],
        "num_scans": summary["num_scans"],
        "nodule_auc": summary["nodule_auc"]["auc"],
        "malignancy_auc": _nested(summary, "malignancy", "model", "auc"),
        "malignancy_auc_diameter_only": _nested(summary, "malignancy", "diameter_only", "auc"),
        "malignancy_accuracy": _nested(summary, "malignancy", "model", "accuracy"),
        "malignancy_f1": _nested(summary, "malignancy", "model", "f1"),
        "malignancy_f1_diameter_only": _nested(summary, "malignancy", "diameter_only", "f1"),
        "patient_auc": _nested(summary, "patients", "score", "auc"),
        "patient_auc_max": _nested(summary, "patients", "max", "auc"),
        "patient_auc_noisy_or": _nested(summary, "patients", "noisy_or", "auc"),
        "patient_auc_top_mean": _nested(summary, "patients", "top_mean", "auc"),
        "patient_auc_diameter_only": _nested(summary, "patients", "diameter_only", "auc"),
    }
    intervals = {
        "cpm": summary["cpm_ci95"],
        "nodule_auc": summary["nodule_auc"]["auc_ci95"],
        "malignancy_auc": _nested(summary, "malignancy", "model", "auc_ci95"),
        "malignancy_auc_diameter_only": _nested(summary, "malignancy", "diameter_only", "auc_ci95"),
        "patient_auc": _nested(summary, "patients", "score", "auc_ci95"),
        "patient_auc_diameter_only": _nested(summary, "patients", "diameter_only", "auc_ci95"),
    }
    for name, bounds in intervals.items():
        figures |= dict(zip((f"{name}_low", f"{name}_high"), bounds or (None, None), strict=True))
    figures |= {f"cpm_fold{row['name']}": row["cpm"] for row in summary["strata"].get("subset", ())}
    return {name: float(value) for name, value in figures.items() if value is not None}


def _malignancy(
    evaluation: Evaluation,
    tables: StudyTables,
    settings: EvaluationSettings,
    *,
    num_subsets: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Any] | None, list[str]]:
    rule = settings.malignancy_rule
    if evaluation.marks["malignancy"].isna().any():
        return None, ["no_malignancy: the recipe has no scorer, so that the study has no figures of malignancy"]
    hits = hit_malignancy(evaluation.matches, evaluation.marks, evaluation.nodules, rule)
    for column in ("patient_id", "subset"):
        hits[column] = hits["series_uid"].map(tables.series.set_index("series_uid")[column])
    known = hits[hits["malignancy_label"].notna()]
    if known["malignancy_label"].nunique() < 2:
        return None, []
    # fold k is evaluated on subset k; folds without hits need no thresholds
    folds = sorted(int(subset) for subset in known["subset"].unique())
    cuts, warnings = choose_fold_cuts(tables, rule, folds=folds, num_subsets=num_subsets)
    figures = malignancy_figures(known, rule=rule, num_bootstraps=settings.num_bootstraps, rng=rng, cuts=cuts)
    return figures, warnings


def _patients(patients: pd.DataFrame, settings: EvaluationSettings, rng: np.random.Generator) -> dict[str, Any] | None:
    with_malignancy = patients[patients["malignancy"].notna()]
    if with_malignancy["is_malignant"].dropna().nunique() < 2:
        return None
    return patient_figures(patients, num_bootstraps=settings.num_bootstraps, rng=rng)


def _nested(summary: dict[str, Any], *keys: str) -> float | None:
    value: Any = summary
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
