"""What stands around a script's one call: log file, tracking, cores."""

import json
import logging
import os
import re
import sys
from types import SimpleNamespace

import pytest

from lungpipe.reporting.computed import read_computed
from lungpipe.services.job import (
    GRANTED_CORES,
    RAN_SUFFIX,
    RAN_TAG,
    grant_cores,
    open_job,
    share_of_cores,
    threads_of_folds,
)
from lungpipe.services.provenance import environment
from lungpipe.services.tracking.current import CurrentRun
from lungpipe.services.tracking.records import pending_records, read_begin, read_lines
from lungpipe.tables.errors import InputError


class Named(dict):
    """Snakemake's named list, as far as a job reads it."""

    __getattr__ = dict.__getitem__


@pytest.fixture
def rule(tmp_path):
    """A running rule without a run."""
    return SimpleNamespace(rule="train_detector", log=[str(tmp_path / "logs/fold3.log")], params=Named())


def log_lines(rule):
    with open(rule.log[0], encoding="utf-8") as stream:
        return stream.read().splitlines()


def test_what_is_said_stands_in_the_log_with_its_time(rule):
    with open_job(rule, fold=3) as job:
        job.say("12 scans, 5 µm")
        job.expect(2)
        job.advance("1.2.3: done")
        job.log(40, {"loss": 0.123456, "dice": 0.5})
        assert job.name == "train_detector fold 3"
        assert job.commit == "unknown"
    lines = log_lines(rule)
    assert [line.split(" ", 3)[2:] for line in lines] == [
        ["INFO", "12 scans, 5 µm"],
        ["INFO", "1.2.3: done"],
        ["INFO", "step 40: loss 0.1235  dice 0.5"],
    ]


def test_progress_is_counted_where_there_is_a_terminal(rule, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with open_job(rule, subset=1) as job:
        bar = job._progress.tasks[0]
        assert not bar.visible
        job.expect(10)
        assert (bar.visible, bar.total, bar.description) == (True, 10, "train_detector subset 1")
        job.advance("one")
        assert bar.completed == 1
        job.log(7, {"loss": 1.0})
        assert bar.completed == 7


def test_the_bar_of_a_training_that_advances_once_in_minutes_has_the_time_left(rule, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    now = [100.0]
    with open_job(rule, fold=3) as job:
        monkeypatch.setattr(job._progress, "get_time", lambda: now[0])
        job.expect(800)
        for step in (100, 200, 300):
            now[0] += 120
            job.log(step, {"loss": 1.0})
        assert job._progress.tasks[0].time_remaining == 600


def test_the_log_of_a_training_has_the_time_left(rule, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("lungpipe.services.job.time.monotonic", lambda: now[0])
    with open_job(rule, fold=3) as job:
        job.expect(800)
        # goes on after a stop: the first 200 steps took no time of this run
        for step in (200, 300, 400, 800):
            job.log(step, {"loss": 1.0})
            now[0] += 30.0
    endings = [line.partition("loss 1")[2] for line in log_lines(rule)]
    assert endings == ["", ", about 2 min left", ", about 2 min left", ""]


@pytest.mark.parametrize("error", [ValueError("bad fold"), KeyboardInterrupt("bad fold")])
def test_an_error_ends_up_in_the_log_and_goes_on(rule, error):
    def run():
        with open_job(rule, fold=3, subset=4) as job:
            job.say("started")
            raise error

    with pytest.raises(type(error), match="bad fold"):
        run()
    text = "\n".join(log_lines(rule))
    assert "started" in text
    assert "ERROR train_detector fold 3 subset 4 failed" in text
    assert "Traceback" in text
    assert f"{type(error).__name__}: bad fold" in text


@pytest.mark.parametrize("kind", ["input", "output"])
def test_json_of_a_job_that_is_nested_too_deeply_is_named(rule, tmp_path, kind):
    manifest = tmp_path / "manifest.json"
    manifest.write_text("[" * 100_000)
    setattr(rule, kind, [str(tmp_path / "none.parquet"), str(manifest)])
    message = f"{manifest}: expected JSON, found JSON that is nested too deeply"
    with pytest.raises(InputError, match=re.escape(message)), open_job(rule, fold=3):
        json.loads(manifest.read_text())
    assert log_lines(rule)[-1].endswith(message)


def test_a_damaged_resume_file_is_removed_before_the_job_begins(rule, tmp_path):
    damaged = tmp_path / "detector_member0_resume.pt"
    damaged.write_bytes(b"PK")
    rule.output = [str(tmp_path / "detector.safetensors")]
    with open_job(rule, fold=3):
        assert not damaged.exists()
    assert f"{damaged}: expected a resume file as it was written" in log_lines(rule)[0]


def test_a_run_that_cannot_be_read_ends_up_in_the_log_too(rule, tmp_path):
    (tmp_path / "run.json").write_text("[]")
    rule.params = Named(run=str(tmp_path / "run.json"))
    with pytest.raises(ValueError, match=r"run\.json"), open_job(rule):
        pytest.fail("the job must not start")
    assert any("expected plan and commit of a run" in line for line in log_lines(rule))


def test_a_study_that_is_not_tracked_runs_and_writes_nothing_down(rule, tmp_path):
    CurrentRun(None, "abc").write(tmp_path / "run.json")
    rule.params = Named(run=str(tmp_path / "run.json"))
    with open_job(rule, fold=3) as job:
        job.log(1, {"loss": 1.0})
        assert job.commit == "abc"
    assert len(log_lines(rule)) == 1
    assert not (tmp_path / "outbox").exists()


@pytest.fixture
def tracked(rule, tmp_path):
    """A running rule of a study that is tracked."""
    CurrentRun("0123456789abcdef", "abc").write(tmp_path / "run.json")
    rule.params = Named(run=str(tmp_path / "run.json"))
    return rule


def record(tmp_path):
    [path] = pending_records(tmp_path / "outbox")
    return read_begin(path), [line for line in read_lines(path, 0)[0][1:] if line.pop("time", True)]


def test_a_job_writes_down_its_run_its_metrics_its_files_and_its_end(tracked, tmp_path):
    (tmp_path / "series.parquet").write_text("x")
    (tmp_path / "froc.csv").write_text("fp_per_scan\n")
    with open_job(tracked, fold=3) as job:
        job.log(40, {"loss": 0.5})
        job.log_artifact(tmp_path / "froc.csv")
        job.log_result({"cpm": 0.9}, [tmp_path / "froc.csv"], [tmp_path / "series.parquet"])
    begin, lines = record(tmp_path)
    assert (begin.plan, begin.stage, begin.places) == ("0123456789abcdef", "train_detector", {"fold": 3})
    assert begin.tags == {"mlflow.source.git.commit": "abc"}
    digest = lines.pop(-2)["values"]["lungpipe.data_sha256"]
    assert len(digest) == 64
    assert lines == [
        {"kind": "metrics", "step": 40, "values": {"loss": 0.5}, "on_parent": False},
        {"kind": "artifact", "path": "../froc.csv", "on_parent": False},
        {"kind": "metrics", "step": 0, "values": {"cpm": 0.9}, "on_parent": False},
        {"kind": "metrics", "step": 0, "values": {"cpm": 0.9}, "on_parent": True},
        {"kind": "artifact", "path": "../froc.csv", "on_parent": True},
        {"kind": "end", "status": "FINISHED"},
    ]


def test_what_a_job_computed_with_is_in_its_log_in_mlflow_and_beside_the_log(tracked, tmp_path):
    with open_job(tracked, fold=3) as job:
        job.ran({"device": "cpu (a processor)", "precision": "float32"})
    assert any("computes with device: cpu (a processor), precision: float32" in line for line in log_lines(tracked))
    own, parent = [line for line in record(tmp_path)[1] if line["kind"] == "tags"]
    assert own["values"] == {"lungpipe.device": "cpu (a processor)", "lungpipe.precision": "float32"}
    assert (parent["values"], parent["on_parent"]) == ({RAN_TAG: "cpu (a processor); float32"}, True)
    [(job_name, facts)] = read_computed(tmp_path, RAN_SUFFIX).items()
    assert (job_name, facts["precision"]) == ("logs fold3", "float32")
    assert facts["versions"]["torch"] == environment()["torch"]


def test_a_job_that_fails_writes_that_down(tracked, tmp_path):
    with pytest.raises(ZeroDivisionError), open_job(tracked):
        _ = 1 / 0
    assert record(tmp_path)[1] == [{"kind": "end", "status": "FAILED"}]
    assert "ZeroDivisionError" in "\n".join(log_lines(tracked))


def test_a_second_job_of_the_same_rule_writes_to_its_own_log_alone(rule, tmp_path):
    with open_job(rule) as job:
        job.say("first")
    second = SimpleNamespace(rule=rule.rule, log=[str(tmp_path / "logs/fold4.log")], params=Named())
    with open_job(second) as job:
        job.say("second")
    assert [line.split()[-1] for line in log_lines(rule)] == ["first"]
    assert [line.split()[-1] for line in log_lines(second)] == ["second"]
    assert logging.getLogger("lungpipe.train_detector").handlers == []


def test_a_job_that_is_run_again_starts_its_log_anew(rule):
    for word in ("old", "new"):
        with open_job(rule) as job:
            job.say(word)
    assert [line.split()[-1] for line in log_lines(rule)] == ["new"]


@pytest.mark.parametrize(
    ("real", "granted", "reserved", "expected"),
    [
        (8, 8, 4, 4),  # as many as reserved
        (8, 8, 8, 8),
        (2, 8, 4, 1),  # two such jobs run at once on two cores
        (2, 8, 8, 2),  # one job at a time
        (2, 2, 1, 1),
        (2, 8, 1, 1),  # never none
        (16, 4, 4, 4),  # more cores than granted: no more than reserved
        (2, 2, 4, 2),
        (8, None, 4, 4),  # outside the workflow
        (2, None, 4, 2),
    ],
)
def test_jobs_share_the_real_cores_by_what_they_reserved(monkeypatch, real, granted, reserved, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(real)), raising=False)
    monkeypatch.delenv("LUNGPIPE_GRANTED_CORES", raising=False)
    if granted is not None:
        monkeypatch.setenv("LUNGPIPE_GRANTED_CORES", str(granted))
    assert share_of_cores(reserved) == expected


def test_a_system_without_affinity_counts_its_cores(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("LUNGPIPE_GRANTED_CORES", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert share_of_cores(9) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert share_of_cores(9) == 1


@pytest.mark.parametrize(("granted", "share"), [(8, 1), (2, 4), (None, 4)])
def test_jobs_hear_of_the_cores_that_the_workflow_was_granted(monkeypatch, granted, share):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setenv(GRANTED_CORES, "before")
    grant_cores(granted)
    assert share_of_cores(4 if granted != 8 else 2) == share


@pytest.mark.parametrize(
    ("num_folds", "cores", "most", "expected"),
    [
        (3, 2, 4, (1, 1, 2)),
        (3, 8, 4, (2, 3, 3)),
        (3, 1, 4, (1, 1, 1)),
        (3, 64, 4, (4, 4, 4)),
        (10, 8, 4, (1,) * 8 + (4, 4)),
        (10, 4, 1, (1,) * 10),
        (2, 2, 4, (1, 1)),
        (4, 2, 4, (1, 1, 1, 1)),
        (1, 2, 4, (2,)),
    ],
)
def test_folds_share_the_cores_and_the_last_round_uses_all(num_folds, cores, most, expected):
    assert threads_of_folds(num_folds, cores, most) == expected
