"""Bad scans and killed runs."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ACCOUNTING = "results/ci/volumes/accounting.csv"


@pytest.fixture
def truncated(copy) -> Path:
    """The data of one scan of subset 0, cut to its half."""
    raw = copy.raw(0)
    raw.write_bytes(raw.read_bytes()[: raw.stat().st_size // 2])
    return raw


def prepared(checkout, subset: int) -> list[str]:
    manifest = checkout.dataset / "volumes" / f"subset{subset}" / "manifest.json"
    return [entry["series_uid"] for entry in json.loads(manifest.read_text())["volumes"]]


def test_a_bad_scan_fails_the_run_by_name_after_the_others_are_prepared(copy, truncated):
    answer = copy.snakemake(ACCOUNTING, expect=1)
    assert f"subset0 {truncated.stem}" in answer.text
    assert "expected 8 prepared scans, found 7" in answer.text
    assert truncated.stem not in prepared(copy, 0)
    assert [len(prepared(copy, subset)) for subset in range(4)] == [1, 2, 2, 2]
    # nothing was trained on what was left
    assert answer.names <= {"prepare_subset 0", "check_subset 0", "account_scans"}


def test_a_bad_scan_that_may_fail_is_judged_as_missed(copy, truncated):
    delta = copy.delta("preprocessing: {is_failure_fatal: false}\nfolds: [0]")
    answer = copy.snakemake(delta=delta)
    # whether a failure is fatal decides nothing about the other scans, so nothing of theirs is computed again
    assert {name for name in answer.names if name.startswith(("prepare", "train", "mine"))} == {"prepare_subset 0"}
    accounting = pd.read_csv(copy.folder / ACCOUNTING, index_col="subset")
    assert accounting.loc["total", ["expected", "prepared"]].tolist() == [8, 7]
    report = json.loads((copy.recipe / "evaluation" / "evaluation.json").read_text())
    assert report["num_scans"] == 2
    nodules = pd.read_parquet(copy.dataset / "targets" / "nodules.parquet")
    matches = pd.read_parquet(copy.recipe / "evaluation" / "matches.parquet")
    own = matches[matches["series_uid"] == truncated.stem]
    assert len(own) == (nodules["series_uid"] == truncated.stem).sum()
    assert any(text.startswith("scans_without_predictions: ") for text in report["warnings"])


def test_one_scan_under_two_names_ends_the_run_before_anything_is_found(finished, fresh):
    root = fresh.folder / "luna"
    shutil.copytree(finished.dataset / "raw", root)
    original = finished.raw(0)
    double = root / "subset3" / "1.2.3.4.mhd"
    header = (root / "subset0" / f"{original.stem}.mhd").read_text()
    double.write_text(header.replace(original.name, "1.2.3.4.raw"))
    shutil.copy2(original, double.with_suffix(".raw"))
    with (root / "series.csv").open("a") as stream:
        stream.write("1.2.3.4,another,3\n")
    delta = "dataset: {kind: luna16, root: luna, name: luna}\npreprocessing: {is_failure_fatal: false}"
    answer = fresh.snakemake(delta=fresh.delta(delta), expect=1)
    assert "expected every scan once, found 1 under several names" in answer.text
    places = [f"subset0 {original.stem}", "subset3 1.2.3.4"]
    assert any(f"  {' = '.join(order)}\n" in answer.text for order in (places, places[::-1]))
    # a detector's training reads the volumes alone and may have begun beside the accounting; nothing follows it
    assert not [name for name in answer.names if name.startswith(("train_scorer", "mine_", "detect_", "write_report"))]


def test_a_killed_run_is_completed_by_the_next(copy, finished):
    volumes = copy.dataset / "volumes"
    for path in (volumes, copy.dataset / "logs" / "prepare_subset"):
        shutil.rmtree(path)
    logs = copy.dataset / "logs" / "prepare_subset"
    kill_when(copy, ACCOUNTING, lambda: any("to compute" in path.read_text() for path in logs.glob("*.log")))
    assert not list(volumes.glob("*/manifest.json"))

    assert list((copy.folder / ".snakemake" / "locks").glob("*.lock"))
    copy.snakemake(ACCOUNTING)
    for subset in range(4):
        name = f"volumes/subset{subset}/manifest.json"
        assert (copy.dataset / name).read_bytes() == (finished.dataset / name).read_bytes()
    leftovers = [path for path in volumes.rglob(".*") if path.name not in (".zattrs", ".zgroup", ".zarray")]
    assert [path.name for path in leftovers if path.is_file()] == []


def test_a_killed_training_goes_on_at_its_last_check_and_ends_in_the_same_bytes(copy, finished):
    fold = copy.recipe / "fold0"
    model, history = fold / "detector.safetensors", fold / "detector_history.parquet"
    for path in (model, history, fold / "detector_points.parquet"):
        path.unlink()
    log = copy.recipe / "logs" / "train_detector" / "fold0.log"
    log.unlink()
    target = str(model.relative_to(copy.folder))
    kill_when(copy, target, lambda: (fold / "detector_member0_resume.pt").exists())
    assert not model.exists()

    assert copy.snakemake(target).names == {"train_detector 0"}
    assert "the training goes on after step 40 of 80" in log.read_text()
    for path in (model, history):
        assert path.read_bytes() == (finished.recipe / "fold0" / path.name).read_bytes()
    assert not list(fold.glob("*resume*"))


def kill_when(checkout, target: str, is_reached: Callable[[], bool]) -> None:
    """Run Snakemake for a target and kill it with all its jobs as soon as the condition holds."""
    run = checkout.start(target)
    deadline = time.monotonic() + 300
    while not is_reached():
        if run.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{target}: not reached within 300 s; Snakemake's exit code: {run.poll()}")
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
