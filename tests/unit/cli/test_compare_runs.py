"""`lungpipe compare --runs`: two studies of a tracking store in the terminal."""

import pytest
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.services.tracking.store import connect, ensure_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with an earlier and a later run of `flagship`, a run of `seed7`, and the run of the volumes."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'mlflow.db'}"
    ensure_store(uri)
    client = connect(uri)
    experiment = client.create_experiment("phantom")
    settings = {"recipe": "flagship", "folds": "[0, 3]", "compute.num_threads": "4", "preprocessing.lung_mask": "whole"}
    for start, (name, cpm, params) in enumerate(
        (
            ("flagship", 0.5, settings | {"seed": "1"}),
            ("flagship", 0.8418, settings | {"seed": "2016"}),
            ("seed7", 0.8612, settings | {"seed": "7", "compute.num_threads": "1", "detector.training.ema": "0.9"}),
            ("volumes", None, {"preprocessing.lung_mask": "whole"}),
        )
    ):
        run_id = client.create_run(experiment, start_time=1000 + start, run_name=name).info.run_id
        for key, value in params.items():
            client.log_param(run_id, key, value)
        if cpm is not None:
            client.log_metric(run_id, "cpm", cpm)
            client.log_metric(run_id, "cpm_fold3", cpm / 2)
            client.log_metric(run_id, "num_scans", 12 if name == "flagship" else 4)
    return uri


def compare(*arguments, code=0):
    result = CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "120"})
    assert result.exit_code == code, result.output
    return result.output


def row(output, name):
    [line] = [line for line in output.splitlines() if line.split("│")[1:2] and line.split("│")[1].strip() == name]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_figures_settings_and_their_differences_are_side_by_side(store):
    output = compare("--runs", "flagship", "seed7", "--store", store)
    assert "phantom/flagship" in output
    assert row(output, "cpm") == ["cpm", "0.8418", "0.8612", "+0.0194"]
    assert row(output, "cpm_fold3") == ["cpm_fold3", "0.4209", "0.4306", "+0.0097"]
    assert row(output, "num_scans") == ["num_scans", "12", "4", "-8"]
    assert row(output, "malignancy_auc")[:3] == ["malignancy_auc", "not defined", "not defined"]
    assert row(output, "seed")[:3] == ["seed", "2016", "7"]
    [line] = [line for line in output.splitlines() if ": " in line]
    assert line == "detector.training.ema: nothing in flagship, 0.9 in seed7"


def test_the_store_may_be_that_of_mlflows_variable(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert row(compare("--runs", "seed7", "flagship"), "cpm")[3] == "-0.0194"


def test_an_unknown_run_is_refused_with_the_names_of_the_studies(store):
    said = compare("--runs", "flagship", "patch48", "--store", store, code=2).replace("\n", "")
    assert "expected the name or id of a study's run, found 'patch48'; studies there: seed7, flagship" in said


def test_a_store_that_is_missing_is_refused_and_not_made(tmp_path):
    path = tmp_path / "none.db"
    said = compare("--runs", "a", "b", "--store", f"sqlite:///{path}", code=2).replace("\n", "")
    assert "expected a tracking store, found no such file" in said
    assert not path.exists()
