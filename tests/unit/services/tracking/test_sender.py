"""The sender as a process: live, beside many jobs, to a server, and through kills."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from waiting import wait_until

from lungpipe.services.tracking.records import now_ms, pending_records
from lungpipe.services.tracking.store import connect

NUM_STEPS = 600
JOB = f"""
import sys, time
from pathlib import Path
from lungpipe.services.tracking.records import Begin, Record
outbox, plan, fold, seconds = sys.argv[1:]
with Record(Path(outbox), Begin(plan, "train_detector", {{"fold": int(fold)}})) as record:
    for step in range({NUM_STEPS}):
        record.log(step, {{"loss": int(fold) + step / 1000}})
    time.sleep(float(seconds))
"""


def start_job(study, fold: int, seconds: float = 0.0) -> subprocess.Popen:
    command = [sys.executable, "-c", JOB, str(study.outbox), study.plan.digest, str(fold), str(seconds)]
    return subprocess.Popen(command, start_new_session=True)


@pytest.fixture
def start_sender(study):
    """Start senders of the study's records; those that a test leaves are ended."""
    started = []

    def start() -> subprocess.Popen:
        command = [sys.executable, "-m", "lungpipe.services.tracking.sender", study.uri, study.location, str(now_ms())]
        sender = subprocess.Popen(
            [*command, str(study.outbox.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(sender)
        return sender

    yield start
    for sender in started:
        sender.kill()
        sender.communicate()


@pytest.mark.parametrize("num_jobs", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_two_senders_send_what_many_jobs_write_exactly_once(study, start_sender, num_jobs):
    senders = [start_sender() for _ in range(2)]
    jobs = [start_job(study, fold) for fold in range(num_jobs)]
    assert [job.wait(timeout=120) for job in jobs] == [0] * num_jobs
    assert [sender.communicate(timeout=120) for sender in senders] == [(b"", None)] * 2
    assert [sender.returncode for sender in senders] == [0, 0]
    runs = study.nested()
    assert set(runs) == {f"train_detector/fold{fold}" for fold in range(num_jobs)}
    for fold in range(num_jobs):
        run = runs[f"train_detector/fold{fold}"]
        assert run.info.status == "FINISHED"
        assert study.history(run, "loss") == [(step, fold + step / 1000) for step in range(NUM_STEPS)]


def test_metrics_appear_while_the_job_runs_and_kills_of_job_and_sender_lose_none(study, start_sender):
    sender, job = start_sender(), start_job(study, 0, seconds=60.0)

    def sent():
        return [run for run in study.runs() if run.data.metrics.get("loss") == (NUM_STEPS - 1) / 1000]

    wait_until(sent)
    [run] = study.nested().values()
    assert run.info.status == "RUNNING"
    sender.kill()
    job.kill()
    assert (sender.wait(), job.wait()) == (-9, -9)
    assert len(pending_records(study.outbox)) == 1
    # the next run of the workflow
    again = start_sender()
    again.communicate(timeout=60)
    [run] = study.nested().values()
    assert run.info.status == "KILLED"
    assert len(study.history(run, "loss")) == NUM_STEPS
    assert list(study.outbox.glob("[!.]*")) == []


def test_what_a_store_does_not_take_is_told_in_the_last_line_and_stays(study, start_sender, results):
    study.record().end("FINISHED")
    (results / "mlflow.db").write_text("a note")
    sender = start_sender()
    output, _ = sender.communicate(timeout=60)
    assert sender.returncode == 1
    assert "file is not a database" in output.decode().splitlines()[-1]
    assert len(pending_records(study.outbox)) == 1


@pytest.fixture
def server(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "kept")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}/health", process), 90.0)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def is_up(address: str, process: subprocess.Popen) -> bool:
    assert process.poll() is None
    try:
        with urlopen(address, timeout=2) as answer:  # noqa: S310 - an address of this test
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_a_server_gets_what_was_written_down_while_it_was_away(study, server, start_sender, tmp_path):
    process, study.uri = server
    study.client, study.location = connect(study.uri), ""
    (tmp_path / "page.html").write_text("<p>")
    with study.record() as record:
        record.log(0, {"loss": 1.0})
        record.log_artifact(tmp_path / "page.html")
    process.send_signal(19)
    os.killpg(process.pid, 19)
    blind = start_sender()
    output, _ = blind.communicate(timeout=300)
    assert blind.returncode == 1
    assert "MlflowException" in output.decode().splitlines()[-1]
    assert len(pending_records(study.outbox)) == 1
    os.killpg(process.pid, 18)
    wait_until(lambda: is_up(f"{study.uri}/health", process), 90.0)
    again = start_sender()
    again.communicate(timeout=120)
    assert again.returncode == 0
    [run] = study.nested().values()
    assert study.history(run, "loss") == [(0, 1.0)]
    assert [found.path for found in study.client.list_artifacts(run.info.run_id)] == ["page.html"]
    assert not list(tmp_path.glob("results*/mlartifacts"))
