"""The model behind MLflow: a scan in base64 in, the published result out; in Python, registry and server."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from pydantic import TypeAdapter

import lungpipe
from lungpipe.prediction.document import Refusal, Result
from lungpipe.services.tracking.registry import register_bundle
from lungpipe.services.tracking.store import connect, ensure_store
from lungpipe.serving import scan_model

DOCUMENT = TypeAdapter(Result | Refusal)
MLFLOW = [sys.executable, "-m", "mlflow"]


@pytest.fixture(scope="module")
def model(bundle):
    model = scan_model.ScanModel()
    model.load_context(SimpleNamespace(artifacts={"bundle": str(bundle)}))
    return model


def test_a_scan_gives_the_result_of_predict(model, bundle, request_content, tmp_path):
    frame, options = pd.DataFrame(request_content["columns"]), {"threshold": 0.0, "is_whole": True}
    answer = model.predict(None, frame, options)
    assert list(answer.columns) == ["status", "result"]
    found = DOCUMENT.validate_json(answer["result"][0])
    (tmp_path / "crop.nii.gz").write_bytes(base64.b64decode(frame["content"][0]))
    loaded = lungpipe.load_model(bundle, device="cpu")
    expected = lungpipe.predict(tmp_path / "crop.nii.gz", model=loaded, **options)
    assert answer["status"][0] == found.status == "done"
    assert len(found.candidates) == len(expected.candidates) > 0
    assert found.candidates[0].probability == pytest.approx(expected.candidates[0].probability, abs=1e-6)


def test_what_cannot_be_used_is_refused_and_the_others_go_on(model, request_content):
    content = request_content["columns"]["content"][0]
    noise = base64.b64encode(b"no image").decode()
    rows = [("SECRET.txt", content), ("a.mha", "&"), ("SECRET.nii.gz", noise), ("../../a.NII.GZ", content)]
    answer = model.predict(None, pd.DataFrame(rows, columns=["file_name", "content"]), {"is_whole": True})
    assert list(answer["status"]) == ["refused", "refused", "refused", "done"]
    messages = [json.loads(result).get("message", "") for result in answer["result"]]
    assert messages[0].startswith("file_name: expected an ending of .nii.gz")
    assert messages[1].startswith("content: expected base64, found")
    assert "SECRET" not in "".join(answer["result"])
    # without `is_whole` a crop shows no chest
    answer = model.predict(None, pd.DataFrame(rows[-1:], columns=["file_name", "content"]))
    assert DOCUMENT.validate_json(answer["result"][0]).reason == "no_lungs"


@pytest.fixture(scope="module")
def registered(tmp_path_factory, bundle, example):
    """A tracking store with a registered model; returns the store's URI."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    ensure_store(uri)
    client = connect(uri)
    experiment = client.create_experiment("phantom", str(folder / "artifacts"))
    line = {"name": "small", "bundle": str(bundle), "code": scan_model.__file__, "example": str(example)}
    for _ in range(2):
        register_bundle(client, client.create_run(experiment).info.run_id, line, folder)
    return uri


@pytest.fixture
def store(registered):
    """The store as MLflow's own, for calls that look nowhere else."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(registered)
    yield registered
    mlflow.set_tracking_uri(before)


def test_a_model_is_registered_once_with_signature_and_example(store):
    [version] = connect(store).search_model_versions("name = 'small'")
    assert len(version.tags["lungpipe.model_sha256"]) == 64
    info = mlflow.models.get_model_info("models:/small/1")
    assert [column.name for column in info.signature.inputs] == ["file_name", "content"]
    assert [column.name for column in info.signature.outputs] == ["status", "result"]
    assert [param.name for param in info.signature.params] == ["threshold", "is_whole"]
    loaded = mlflow.pyfunc.load_model("models:/small/1")
    assert list(loaded.predict(loaded.input_example, params={"is_whole": True})["status"]) == ["done"]


def test_nothing_of_a_registered_model_is_a_pickle(store):
    folder = mlflow.artifacts.download_artifacts("models:/small/1")
    names = [name for _, _, files in os.walk(folder) for name in files]
    assert "scan_model.py" in names
    assert "small.lungpipe" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]


@pytest.mark.slow
def test_mlflow_predicts_from_the_command_line(registered, request_content, tmp_path):
    body = {"dataframe_split": _split(request_content), "params": request_content["params"]}
    (tmp_path / "request.json").write_text(json.dumps(body))
    command = [*MLFLOW, "models", "predict", "-m", "models:/small/1", "-i", tmp_path / "request.json"]
    command += ["-o", tmp_path / "answer.json", "--env-manager", "local", "--content-type", "json"]
    subprocess.run(command, env={**os.environ, "MLFLOW_TRACKING_URI": registered}, check=True, timeout=300)
    [row] = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    assert DOCUMENT.validate_json(row["result"]).status == row["status"] == "done"


@pytest.mark.slow
def test_mlflow_serves_on_loopback(registered, request_content):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*MLFLOW, "models", "serve", "-m", "models:/small/1", "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": registered}
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        body = {"dataframe_split": _split(request_content), "params": request_content["params"]}
        [row] = json.loads(_ask(server, port, body))["predictions"]
        assert DOCUMENT.validate_json(row["result"]).status == "done"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _split(request_content):
    columns = request_content["columns"]
    return {"columns": list(columns), "data": [list(row) for row in zip(*columns.values(), strict=True)]}


def _ask(server, port, body):
    """Send a request once the server answers; returns the text of the answer."""
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 240
    while True:
        try:
            urllib.request.urlopen(f"{url}/ping", timeout=5).close()  # noqa: S310 - loopback
            break
        except OSError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(1)
    asked = urllib.request.Request(f"{url}/invocations", json.dumps(body).encode())  # noqa: S310 - loopback
    asked.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(asked, timeout=240) as answer:  # noqa: S310 - loopback
        return answer.read().decode()
