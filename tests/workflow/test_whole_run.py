"""The smallest study from raw scans to the report."""

import json
import os
import shlex
import subprocess
import sys

import pandas as pd
import pytest

from lungpipe.datasets.leaks import LeakError
from lungpipe.models import digest_of, read_card

PER_FOLD = (
    "detector.safetensors",
    "detector_history.parquet",
    "detector_points.parquet",
    "mined.parquet",
    "scorer.safetensors",
    "scorer_history.parquet",
    "scorer_points.parquet",
    "candidates.parquet",
    "candidate_masks.parquet",
    "scored.parquet",
    "validation.parquet",
)


@pytest.fixture(scope="session")
def report(finished):
    return json.loads((finished.recipe / "evaluation" / "evaluation.json").read_text())


def test_every_stage_leaves_its_files(finished):
    dataset, recipe = finished.dataset, finished.recipe
    names = ("manifest.json", "qc.parquet", "references.parquet")
    expected = [dataset / "volumes" / f"subset{s}" / name for s in range(4) for name in names]
    expected += [dataset / "targets" / f"{name}.parquet" for name in ("series", "nodules", "exclusions")]
    expected += [recipe / f"fold{fold}" / name for fold in (0, 2) for name in PER_FOLD]
    expected += [
        recipe / "evaluation" / name
        for name in ("froc.csv", "froc_band.csv", "matches.parquet", "submission.csv", "patients.csv", "hits.csv")
    ]
    expected += [recipe / "figures" / f"{name}.png" for name in ("froc", "training", "candidates")]
    expected += [recipe / "figures" / f"{name}.json" for name in ("charts", "pictures")]
    expected += [recipe / "report.html", dataset / "volumes" / "accounting.csv"]
    assert [str(path) for path in expected if not path.is_file() or not path.stat().st_size] == []


def test_every_scan_is_accounted_for(finished):
    accounting = pd.read_csv(finished.dataset / "volumes" / "accounting.csv", index_col="subset")
    assert accounting.loc["total", ["expected", "prepared"]].tolist() == [8, 8]
    assert accounting["prepared"].tolist() == [2, 2, 2, 2, 8]


def test_the_study_is_judged_on_every_scan_of_its_folds(finished, report):
    assert report["folds"] == [0, 2]
    assert report["num_scans"] == 4
    assert 0.0 <= report["cpm"] <= 1.0
    assert [part["name"] for part in report["strata"]["subset"]] == ["0", "2"]


def test_the_command_of_the_study_evaluates_its_submission_again_to_the_same_bytes(finished, report, tmp_path):
    folder = finished.recipe / "evaluation"
    page = (finished.recipe / "report.html").read_text()
    command = (folder / "command.txt").read_text().strip()
    assert command in page
    words = shlex.split(command)
    # the study is left as it is
    words[words.index("--out") + 1] = str(tmp_path)
    run = [sys.executable, "-m", *words]
    subprocess.run(run, cwd=finished.folder, env=finished.variables(), check=True, capture_output=True)
    for name in ("froc.csv", "froc_band.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    again = json.loads((tmp_path / "evaluation.json").read_text())
    for figure in ("cpm", "cpm_ci95", "sensitivity", "num_scans", "num_nodules", "strata"):
        assert again[figure] == report[figure]


def test_every_fold_is_scored_on_its_own_subset_and_chooses_on_the_next(finished):
    series = pd.read_parquet(finished.dataset / "targets" / "series.parquet").set_index("series_uid")["subset"]
    for fold in (0, 2):
        for name, subset in (("candidates", fold), ("scored", fold), ("validation", fold + 1)):
            table = pd.read_parquet(finished.recipe / f"fold{fold}" / f"{name}.parquet")
            assert set(table["fold"]) <= {fold}
            assert set(table["series_uid"].map(series)) <= {subset}, (fold, name)
        mined = pd.read_parquet(finished.recipe / f"fold{fold}" / "mined.parquet")
        assert fold not in set(mined["series_uid"].map(series))


def test_models_know_their_fold_and_what_they_saw(finished):
    series = pd.read_parquet(finished.dataset / "targets" / "series.parquet").set_index("series_uid")["subset"]
    subset_of = {digest_of(uid): subset for uid, subset in series.items()}
    for fold in (0, 2):
        for role in ("detector", "scorer"):
            card = read_card(finished.recipe / f"fold{fold}" / f"{role}.safetensors")
            assert (card.role, card.fold, card.recipe) == (role, fold, "flagship")
            assert {subset_of[digest] for digest in card.training_series} == set(range(4)) - {fold, fold + 1}
            assert {subset_of[digest] for digest in card.validation_series} == {fold + 1}
            card.expect_fold(fold)
            tested = series.index[series == fold]
            card.refuse_seen(tested)
            # a scan of a patient in another subset is in none of the three
            seen = {*card.training_series, *card.validation_series}
            for learned in [uid for uid in series.index if digest_of(uid) in seen]:
                with pytest.raises(LeakError, match="never saw"):
                    card.refuse_seen([*tested, learned])


def test_no_resume_file_is_left(finished):
    assert [path.name for path in finished.recipe.rglob("*resume*")] == []


def test_points_are_those_of_the_learning_subsets(finished):
    series = pd.read_parquet(finished.dataset / "targets" / "series.parquet").set_index("series_uid")["subset"]
    for fold in (0, 2):
        for role, kinds in (("detector", {"nodule", "lung"}), ("scorer", {"nodule", "lung", "candidate"})):
            points = pd.read_parquet(finished.recipe / f"fold{fold}" / f"{role}_points.parquet")
            assert set(points["series_uid"].map(series)) == set(range(4)) - {fold}
            assert set(points["kind"]) == kinds


def test_malignancy_has_thresholds_or_a_warning_that_says_why_not(report):
    malignancy = report["malignancy"]
    is_warned = any(text.startswith("no_malignancy_cuts: ") for text in report["warnings"])
    if malignancy is None:
        # hits of one class: there is nothing to decide
        assert not is_warned
    else:
        figures = [malignancy[name][figure] for name in ("model", "diameter_only") for figure in ("accuracy", "f1")]
        assert [figure is None for figure in figures] == [is_warned] * 4
        assert malignancy["model"]["brier"] is not None


def test_a_second_run_has_nothing_to_do(copy):
    answer = copy.snakemake()
    assert "Nothing to be done" in answer.text
    assert not answer.jobs


def test_touching_a_raw_scan_reruns_nothing(copy):
    for subset in (0, 1):
        os.utime(copy.raw(subset))
        os.utime(copy.raw(subset).with_suffix(".mhd"))
    answer = copy.plan()
    assert "Nothing to be done" in answer.text
    assert not answer.jobs


def test_snakemakes_own_report_holds_the_figures(copy):
    copy.snakemake("--report", "study.html")
    page = (copy.folder / "study.html").read_text()
    for name in ("report.html", "froc.png", "training.png", "candidates.png", "accounting.csv", "evaluation.json"):
        assert name in page
    assert "lungpipe resamples the scans of a dataset" in page


def test_lint_finds_nothing(finished):
    assert "Congratulations" in finished.snakemake("--lint").text


def test_the_rules_are_formatted(finished):
    answer = subprocess.run(
        [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"],
        cwd=finished.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
