"""The judged study: every scan counts, and malignancy is decided at thresholds that were chosen elsewhere."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.evaluate import evaluate, write_evaluation
from lungpipe.evaluation.evaluate_study import evaluate_study, headline, write_study
from lungpipe.evaluation.ranking import auc
from lungpipe.evaluation.reference import Reference
from lungpipe.evaluation.submission import read_submission, read_subsets
from lungpipe.settings import EvaluationSettings

SETTINGS = EvaluationSettings(num_bootstraps=20)


def judged(study, **changes):
    arguments = {"folds": [0, 2], "num_subsets": 4, "seed": 1, **changes}
    return evaluate_study(study, SETTINGS, **arguments)


def test_everything_found_and_nothing_else_is_a_perfect_study(study):
    report = judged(study).summary
    assert report["cpm"] == 1.0
    assert (report["num_scans"], report["num_nodules"], report["true_positives"]) == (2, 4, 4)
    assert report["folds"] == [0, 2]
    assert report["warnings"] == []


def test_malignancy_is_decided_fold_by_fold(study):
    malignancy = judged(study).summary["malignancy"]
    # one threshold for both folds could not do it: 0.4 is malignant in fold 0, 0.6 benign in fold 2
    assert (malignancy["model"]["accuracy"], malignancy["model"]["f1"]) == (1.0, 1.0)
    assert malignancy["model"]["auc"] == 0.75
    # 12 mm and 6 mm: the diameter alone does it too
    baseline = malignancy["diameter_only"]
    assert (baseline["accuracy"], baseline["f1"], baseline["auc"]) == (1.0, 1.0, 1.0)
    assert 0.0 <= baseline["brier"] < 0.1
    assert baseline["ece"] is not None
    # (0.6^2 + 0.3^2 + 0.1^2 + 0.6^2) / 4
    assert malignancy["model"]["brier"] == pytest.approx(0.205)


def test_a_threshold_is_not_read_off_the_judged_nodules(study):
    # the test subset's malignant nodule falls below the threshold of validation: it is missed, not rescued
    scored = study.scored.assign(malignancy=study.scored["malignancy"].replace(0.9, 0.8))
    model = judged(replace(study, scored=scored)).summary["malignancy"]["model"]
    assert model["accuracy"] == 0.75
    assert model["f1"] == pytest.approx(2 / 3)


def test_without_validation_the_figures_are_none_and_a_warning_says_why(study):
    report = judged(replace(study, validation=study.validation.iloc[:0])).summary
    assert [text.split(":")[0] for text in report["warnings"]] == ["no_malignancy_cuts"] * 2
    assert report["malignancy"]["model"]["auc"] == 0.75
    assert report["malignancy"]["model"]["brier"] == pytest.approx(0.205)
    for name, figures in (("model", ("accuracy", "f1")), ("diameter_only", ("accuracy", "f1", "brier", "ece"))):
        assert [report["malignancy"][name][figure] for figure in figures] == [None] * len(figures)


def test_a_fold_with_nothing_to_decide_needs_no_thresholds(study, without):
    # fold 2 hits nothing, and its validation has nothing either
    silent = without(study, "scored", lambda row: row["fold"] == 2)
    silent = without(silent, "validation", lambda row: row["fold"] == 2)
    report = judged(silent).summary
    assert report["malignancy"]["model"]["accuracy"] == 1.0
    assert not [text for text in report["warnings"] if text.startswith("no_malignancy_cuts")]


def test_hits_of_one_class_have_no_malignancy_and_no_warning_about_it(study):
    benign = study.nodules.assign(malignancy_ratings="1;1")
    report = judged(replace(study, nodules=benign)).summary
    assert report["malignancy"] is None
    assert report["warnings"] == []


def test_a_recipe_without_a_scorer_has_no_figures_of_malignancy_and_says_so(study):
    unknown = dict.fromkeys(("malignancy", "malignancy_max", "malignancy_noisy_or", "malignancy_top_mean"), np.nan)
    tables = replace(study, scored=study.scored.assign(malignancy=np.nan), patients=study.patients.assign(**unknown))
    report = judged(tables).summary
    assert report["malignancy"] is None
    assert report["patients"] is None
    assert [text.split(":")[0] for text in report["warnings"]] == ["no_malignancy"]
    assert report["cpm"] == judged(study).summary["cpm"]


def test_patients_without_malignancy_are_counted_and_not_ranked(study):
    unseen = study.patients["patient_id"] == "p1.2.0"
    columns = [name for name in study.patients if name.startswith("malignancy")]
    patients = study.patients.copy()
    patients.loc[unseen, columns] = np.nan
    more = pd.concat([patients, patients[~unseen].assign(patient_id="other", is_malignant=0.0)], ignore_index=True)
    figures = judged(replace(study, patients=more)).summary["patients"]
    assert (figures["num_patients"], figures["num_without_malignancy"]) == (len(more) - 1, 1)
    assert figures["score"]["auc"] == figures["max"]["auc"]


def test_a_scan_that_was_not_prepared_counts_as_missed(study, without):
    report = judged(without(study, "scored", lambda row: row["series_uid"] == "1.2.2")).summary
    assert report["num_scans"] == 2
    assert report["false_negatives"] == 2
    assert report["cpm"] == 0.5


def test_only_the_folds_that_ran_are_judged(study):
    report = judged(study, folds=[0]).summary
    assert (report["num_scans"], report["num_nodules"]) == (1, 2)


def test_the_headline_leaves_out_what_a_study_does_not_have(study):
    whole = headline(judged(study).summary)
    by_fold = {row["name"]: row["cpm"] for row in judged(study).summary["strata"]["subset"]}
    assert {name: whole[f"cpm_fold{name}"] for name in by_fold} == by_fold
    assert by_fold
    assert whole["malignancy_accuracy"] == whole["malignancy_f1"] == whole["malignancy_f1_diameter_only"] == 1.0
    part = headline(judged(replace(study, validation=study.validation.iloc[:0])).summary)
    assert whole.keys() - part.keys() == {"malignancy_accuracy", "malignancy_f1", "malignancy_f1_diameter_only"}


def test_the_headline_has_the_bounds_of_every_interval(study):
    summary = judged(study).summary
    figures = headline(summary)
    parts = {
        "cpm": summary["cpm_ci95"],
        "nodule_auc": summary["nodule_auc"]["auc_ci95"],
        "malignancy_auc": summary["malignancy"]["model"]["auc_ci95"],
        "malignancy_auc_diameter_only": summary["malignancy"]["diameter_only"]["auc_ci95"],
    }
    defined = {name: bounds for name, bounds in parts.items() if bounds is not None and None not in bounds}
    assert {"cpm", "malignancy_auc"} <= set(defined)
    for name, bounds in defined.items():
        assert [figures[f"{name}_low"], figures[f"{name}_high"]] == bounds
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    for name in parts.keys() - defined.keys():
        assert f"{name}_low" not in figures


def test_the_same_seed_gives_the_same_report(study):
    assert judged(study).summary == judged(study).summary


def test_the_files_evaluate_the_submission_again_to_the_same_bytes(study, tmp_path):
    evaluation = judged(study)
    write_study(evaluation, study, tmp_path, rule="mean_gt_3")
    reference = Reference.of_folder(tmp_path)
    again = evaluate(
        read_submission(tmp_path / "submission.csv"),
        reference.nodules,
        reference.exclusions,
        reference.series_uids,
        num_bootstraps=evaluation.summary["bootstrap"]["num_samples"],
        seed=evaluation.summary["bootstrap"]["seed"],
        subset_of=read_subsets(tmp_path / "series.csv"),
    )
    write_evaluation(again, tmp_path / "again")
    for name in ("froc.csv", "froc_band.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()
    # a submission has no diameters of marks
    figures = again.summary.keys() - {"diameter_error", "warnings"}
    assert {name: again.summary[name] for name in figures} == {name: evaluation.summary[name] for name in figures}
    words = shlex.split((tmp_path / "command.txt").read_text())
    assert words[:3] == ["lungpipe", "evaluate", str(tmp_path / "submission.csv")]
    assert words[words.index("--seed") + 1] == str(again.summary["bootstrap"]["seed"])


def test_the_files_hold_the_report(study, tmp_path):
    evaluation = judged(study)
    write_study(evaluation, study, tmp_path, rule="mean_gt_3")
    assert json.loads((tmp_path / "evaluation.json").read_text()) == json.loads(json.dumps(evaluation.summary))
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert submission.columns.tolist() == ["seriesuid", "coordX", "coordY", "coordZ", "probability"]
    assert len(submission) == 4
    assert len(pd.read_csv(tmp_path / "patients.csv")) == 2


def test_the_table_of_hits_has_labels_and_no_series(study, tmp_path):
    write_study(judged(study), study, tmp_path, rule="mean_gt_3")
    hits = pd.read_csv(tmp_path / "hits.csv")
    assert hits.columns.tolist() == ["nodule_row", "malignancy", "malignancy_label", "diameter_mm"]
    assert hits["nodule_row"].tolist() == [0, 1, 2, 3]
    assert hits["malignancy_label"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert hits["diameter_mm"].tolist() == [12.0, 6.0, 12.0, 6.0]
    labels, scores = hits["malignancy_label"], hits["malignancy"]
    assert auc(labels, scores) == judged(study).summary["malignancy"]["model"]["auc"]
