"""What a run leaves in the tracking store."""

import os
import signal
import time
from collections import Counter

import psutil
import pytest
from mlflow import MlflowClient

PARENT = "mlflow.parentRunId"


def client_of(store) -> MlflowClient:
    return MlflowClient(f"sqlite:///{store}")


@pytest.fixture(scope="module")
def runs(finished):
    """Every run of the dataset's experiment."""
    client = client_of(finished.folder / "results" / "mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "ci"]
    return client.search_runs([experiment.experiment_id], max_results=200)


def parent(runs, name):
    [run] = [run for run in runs if PARENT not in run.data.tags and run.info.run_name == name]
    return run


def nested(runs, name):
    """The stages of a parent by name."""
    own = [run for run in runs if run.data.tags.get(PARENT) == parent(runs, name).info.run_id]
    assert len({run.info.run_name for run in own}) == len(own)
    return {run.info.run_name: run for run in own}


def test_there_is_one_run_of_the_study_and_one_of_the_dataset_and_all_are_finished(runs):
    assert sorted(run.info.run_name for run in runs if PARENT not in run.data.tags) == ["flagship", "volumes"]
    assert {run.info.run_name: run.info.status for run in runs if run.info.status != "FINISHED"} == {}


def test_every_stage_has_a_nested_run(runs):
    folds = ("train_detector", "mine_candidates", "train_scorer")
    folds += ("detect_candidates", "score_candidates")
    expected = {f"{stage}/fold{fold}" for stage in folds for fold in (0, 2)}
    assert set(nested(runs, "flagship")) == expected | {"evaluate_study", "draw_figures", "write_report"}
    expected = {f"{stage}/subset{subset}" for stage in ("prepare_subset", "check_subset") for subset in range(4)}
    assert set(nested(runs, "volumes")) == expected | {"collect_targets", "account_scans"}


@pytest.mark.parametrize("role", ["detector", "scorer"])
def test_training_logs_every_check(finished, runs, role):
    client = client_of(finished.folder / "results" / "mlflow.db")
    run = nested(runs, "flagship")[f"train_{role}/fold0"]
    history = client.get_metric_history(run.info.run_id, "validation_loss")
    steps = sorted({metric.step for metric in history})
    assert len(steps) == 2
    assert steps[-1] == (80 if role == "detector" else 30)


def test_the_study_carries_its_final_figures_settings_and_origin(runs):
    study = parent(runs, "flagship")
    assert 0.0 <= study.data.metrics["cpm"] <= 1.0
    assert study.data.metrics["num_scans"] == 4.0
    assert study.data.params["recipe"] == "flagship"
    assert study.data.params["detector.training.num_steps"] == "80"
    assert "mlflow.source.git.commit" in study.data.tags
    assert len(study.data.tags["lungpipe.data_sha256"]) == 64


def test_the_report_of_a_first_run_links_to_the_studys_run(finished, runs):
    study = parent(runs, "flagship").info
    page = (finished.recipe / "report.html").read_text()
    assert f'href="http://127.0.0.1:5000/#/experiments/{study.experiment_id}/runs/{study.run_id}"' in page


def test_the_dataset_carries_its_accounting(runs):
    metrics = parent(runs, "volumes").data.metrics
    assert (metrics["num_expected"], metrics["num_prepared"]) == (8.0, 8.0)
    assert (metrics["num_references"], metrics["num_references_not_compared"]) == (8.0, 0.0)
    assert 0.9 < metrics["lungs_dice_min"] <= metrics["lungs_dice_median"] <= 1.0


TARGET = "results/ci/targets/series.parquet"


def test_the_store_that_the_environment_names_is_used(fresh, tmp_path):
    store = tmp_path / "elsewhere.db"
    fresh.environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}"
    fresh.snakemake(TARGET)
    client = client_of(store)
    [experiment] = [one for one in client.search_experiments() if one.name == "ci"]
    names = {run.info.run_name for run in client.search_runs([experiment.experiment_id])}
    assert names == {"flagship", "volumes", "collect_targets"}
    assert not (fresh.folder / "results" / "mlflow.db").exists()


def test_no_series_is_named_in_what_is_tracked(finished):
    tracked = [path for path in (finished.folder / "results" / "mlartifacts").rglob("*") if path.is_file()]
    texts = [path for path in tracked if path.suffix in (".csv", ".html", ".json", ".yaml")]
    assert {"froc.csv", "report.html", "accounting.csv"} <= {path.name for path in texts}
    series = [path.stem for path in (finished.dataset / "raw").rglob("*.mhd")]
    named = [path.name for path in texts if any(uid in path.read_text() for uid in series)]
    assert named == []


def test_a_study_that_is_not_tracked_has_no_store(fresh):
    fresh.snakemake(TARGET, delta=fresh.delta("tracking: {is_enabled: false}"))
    assert not list(fresh.folder.rglob("*.db"))


def test_a_store_that_cannot_be_is_one_message_before_any_job(fresh):
    fresh.environment["MLFLOW_TRACKING_URI"] = "http://me:secret@127.0.0.1:9"
    text = fresh.snakemake(expect=1).text
    assert "expected no password in it" in text
    assert "secret" not in text
    assert "Traceback" not in text
    assert not (fresh.folder / "results").exists()


def kill_while_training(checkout, target):
    """Start the study, and kill Snakemake, its jobs and the sender once a detector has logged its first check."""
    log = checkout.recipe / "logs" / "train_detector" / "fold0.log"
    run = checkout.start(target)
    deadline = time.monotonic() + 600
    while not (log.is_file() and "step 40" in log.read_text()):
        assert run.poll() is None, (checkout.folder / "started.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # stopped before the sender is looked for, so that nothing ends meanwhile
    os.killpg(run.pid, signal.SIGSTOP)
    sender = sender_of(run.pid, checkout.recipe / "tracking" / "sender.log")
    os.kill(sender, signal.SIGKILL)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def sender_of(parent, log):
    """Return the process id of the sender, a child of Snakemake's process."""
    deadline = time.monotonic() + 30
    while True:
        children = psutil.Process(parent).children()
        listed = {child.pid: " ".join(command_of(child)) for child in children}
        found = [pid for pid, command in listed.items() if "lungpipe.services.tracking.sender" in command]
        if found:
            [sender] = found
            return sender
        assert time.monotonic() < deadline, (listed, log.read_text() if log.is_file() else "no log")
        time.sleep(0.1)


def command_of(process):
    try:
        return process.cmdline()
    except psutil.Error as error:
        return [repr(error)]


def test_what_a_killed_run_wrote_down_is_sent_once_by_the_next(fresh):
    target = "results/ci/flagship/fold0/detector.safetensors"
    kill_while_training(fresh, target)
    outbox = fresh.recipe / "tracking" / "outbox"
    assert {path.name.split(".")[1] for path in outbox.glob("*.jsonl")} == {"study", "train_detector-fold0"}
    fresh.snakemake(target)
    assert not list(outbox.glob("*.jsonl"))

    client = client_of(fresh.folder / "results" / "mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "ci"]
    every = client.search_runs([experiment.experiment_id], run_view_type=3, max_results=200)
    killed = [run for run in every if run.info.lifecycle_stage == "deleted"]
    assert [(run.info.run_name, run.info.status) for run in killed] == [("train_detector/fold0", "KILLED")]
    assert {run.info.status for run in every if run not in killed} == {"FINISHED"}
    assert 40 in [value.step for value in client.get_metric_history(killed[0].info.run_id, "validation_loss")]
    for run in every:
        for name in run.data.metrics:
            steps = Counter(value.step for value in client.get_metric_history(run.info.run_id, name))
            assert set(steps.values()) == {1}, (run.info.run_name, name, steps)
