"""Predictions from the command line: what is shown, exit codes, and what is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from chest_models import draw_chests, write_models
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.prediction.source import make_scan

NOTICE = "Research use only, not a medical device"


@pytest.fixture(scope="module")
def chests(tmp_path_factory):
    return draw_chests(tmp_path_factory.mktemp("chests"), 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("model"))


def predict(source, out, model, *options, code=0):
    words = ["predict", source, "--out", out, "--model", model, "--device", "cpu", "--threads", 1, *options]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def test_one_scan_is_written_and_summed_up(chests, model, tmp_path):
    result = predict(chests[0], tmp_path / "out", model, "--threshold", 0.01)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"candidates.csv", "result.json", "lungs.nii.gz", "nodules.nii.gz", "overlays", "viewer.html"}
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{tmp_path / 'out'}: {len(table)} candidates of probability 0.01 or more"
    assert len(table) > 3
    assert len(lines) == len(table) + 3
    assert lines[-1] == NOTICE
    assert "lungpipe: find lungs" in result.stderr
    # names of scans are on the command line alone
    assert chests[0].stem not in result.output


def test_json_is_the_document_alone(chests, model, tmp_path):
    result = predict(chests[0], tmp_path / "out", model, "--json", "--no-masks", "--no-pictures", "--no-viewer")
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "result.json").read_text())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"candidates.csv", "result.json"}


def test_quiet_says_nothing(chests, model, tmp_path):
    assert (
        predict(chests[0], tmp_path / "out", model, "--quiet", "--no-pictures", "--no-viewer", "--threshold", 1).output
        == ""
    )
    assert len(pd.read_csv(tmp_path / "out" / "candidates.csv")) == 0


def test_many_scans_have_a_line_each_and_a_failure_is_code_one(chests, model, tmp_path):
    folder = tmp_path / "Doe^Jane"
    shutil.copytree(chests[0].parent, folder)
    few = ("--no-masks", "--no-pictures", "--no-viewer")
    result = predict(folder, tmp_path / "out", model, *few)
    assert result.stdout == f"{tmp_path / 'out'}: 2 of 2 scans done; scans.csv has a row for each\n"
    (folder / "Doe^Jane.nii").write_bytes(b"no scan")
    result = predict(folder, tmp_path / "out", model, *few, code=1)
    assert result.stderr.count("kept from an earlier call") == 2
    assert "unusable: INPUT: expected" in result.stderr
    assert "Doe" not in result.output.replace(str(tmp_path), "")
    documents = [
        json.loads(line)
        for line in predict(folder, tmp_path / "out", model, *few, "--json", code=1).stdout.splitlines()
    ]
    assert sorted(document["status"] for document in documents) == ["done", "done", "refused"]


def test_a_scan_that_must_not_be_judged_is_code_three_and_leaves_nothing(model, tmp_path):
    hu = np.random.default_rng(0).normal(40, 20, (40, 60, 60))
    hu[:, 20:40, 20:40] -= 840
    scan = make_scan(hu, (1.0, 1.0, 1.0))
    path = tmp_path / "block.mhd"
    write_metaimage(scan.hu, scan.grid, path)
    result = predict(path, tmp_path / "out", model, code=3)
    assert "block.mhd: expected a chest CT with at least 50 ml of lung" in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["block.mhd", "block.raw"]
    refusal = json.loads(predict(path, tmp_path / "out", model, "--json", code=3).stdout)
    assert (refusal["status"], refusal["reason"], refusal["notice"]) == ("refused", "no_lungs", NOTICE)
    predict(path, tmp_path / "out", model, "--whole-volume", "--no-pictures")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.mhd"], "none.mhd: expected a readable scan"),
        (["text.nii"], "text.nii: expected"),
        (["text.nii", "--model", "text.nii"], "expected a model in safetensors"),
        (["text.nii", "--device", "tpu"], "device: expected auto, cpu or gpu:<number>, found 'tpu'"),
        (["folder", "--series", "1.2"], "expected one scan, found a folder of many"),
        (["text.nii", "--out", "folder"], "folder: expected a new or an empty folder"),
    ],
)
def test_bad_input_is_one_message_and_no_output(model, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.nii").write_text("some text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.mhd").write_text("x")
    options = {"--out": "out", "--model": str(model), "--device": "cpu"}
    source, *changes = words
    options |= dict(zip(changes[::2], changes[1::2], strict=True))
    command = ["predict", source, *(word for pair in options.items() for word in pair)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "text.nii"]


def test_without_a_model_the_message_says_how_to_train_one(chests, tmp_path, monkeypatch):
    monkeypatch.setattr("lungpipe.shipped.SHIPPED_MODEL", "none")
    result = CliRunner().invoke(app, ["predict", str(chests[0]), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "this lungpipe has none in its package" in result.stderr
