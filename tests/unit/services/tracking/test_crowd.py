"""Many jobs at once on one store, and a real server."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from lungpipe.services.tracking import RunReference, finish_study, open_study_run, stage_run
from lungpipe.services.tracking.store import connect
from lungpipe.settings import StudySettings

NUM_STEPS = 600
JOB = f"""
import sys
from pathlib import Path
from lungpipe.services.tracking import RunReference, stage_run
fold = int(sys.argv[1])
with stage_run(RunReference.read(Path("run.json")), "train_segmenter", fold=fold) as stage:
    stage.log_params({{"fold": fold}})
    for step in range({NUM_STEPS}):
        stage.log(step, {{"loss": fold + step / 1000}})
"""


@pytest.mark.parametrize("num_jobs", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_jobs_log_to_one_sqlite_store_at_once(reference: RunReference, client, num_jobs: int) -> None:
    jobs = [subprocess.Popen([sys.executable, "-c", JOB, str(fold)]) for fold in range(num_jobs)]
    assert [job.wait(timeout=120) for job in jobs] == [0] * num_jobs
    query = f"tags.mlflow.parentRunId = '{reference.run_id}'"
    runs = client.search_runs([reference.experiment_id], query)
    assert sorted(run.data.params["fold"] for run in runs) == [str(fold) for fold in range(num_jobs)]
    for run in runs:
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "loss")
        fold = int(run.data.params["fold"])
        assert sorted(metric.value for metric in history) == [fold + step / 1000 for step in range(NUM_STEPS)]


@pytest.fixture
def server(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "kept"),
    ]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(address, timeout=2) as answer:  # noqa: S310 - an address of this test
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{address}: expected a server, found none")


@pytest.mark.slow
def test_a_study_is_tracked_by_a_server_and_leaves_no_store_behind(
    settings: StudySettings, server: str, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    reference = open_study_run(settings, Path("run.json"))
    assert reference.uri == server
    with stage_run(reference, "train_segmenter", fold=0) as stage:
        stage.log(0, {"loss": 1.0})
        stage.log_artifact(Path("run.json"))
    finish_study(reference, {"cpm": 0.9})
    client = connect(server)
    assert client.get_run(reference.run_id).data.metrics == {"cpm": 0.9}
    [child] = client.search_runs([reference.experiment_id], f"tags.mlflow.parentRunId = '{reference.run_id}'")
    assert [found.path for found in client.list_artifacts(child.info.run_id)] == ["run.json"]
    assert not results.exists()
