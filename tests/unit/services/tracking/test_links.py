import json

import pytest

from lungpipe.services.tracking.links import RunLinks, find_runs

VIEW = "runs?workflowType=machine_learning&viewStateShareKey="


@pytest.fixture
def folder(tmp_path):
    def write(uri, **ids):
        (tmp_path / "experiment.json").write_text(json.dumps({"experiment": "3", "uri": uri, **ids}))
        return tmp_path

    return write


def test_the_default_store_is_shown_by_make_ui(folder):
    assert find_runs(folder("sqlite:///results/mlflow.db", run="f00")) == RunLinks(
        study="http://127.0.0.1:5000/#/experiments/3/runs/f00",
        studies=f"http://127.0.0.1:5000/#/experiments/3/{VIEW}studies",
        trainings=f"http://127.0.0.1:5000/#/experiments/3/{VIEW}trainings",
        serve="make ui",
    )


def test_a_folder_that_does_not_name_the_run_links_to_the_list_of_studies(folder):
    runs = find_runs(folder("sqlite:///results/mlflow.db"))
    assert runs["study"] == runs["studies"]


def test_another_store_is_named_only_where_that_is_asked_for(folder):
    assert find_runs(folder("sqlite:////private/place/a.db"))["serve"] == "make ui STORE=sqlite:////private/place/a.db"
    assert (
        find_runs(folder("sqlite:////private/place/a.db"), is_store_named=False)["serve"]
        == "make ui STORE=<the study's store>"
    )


def test_a_server_is_linked_without_its_user(folder):
    runs = find_runs(folder("https://me@mlflow.example/base/", run="f00"))
    assert runs["study"] == "https://mlflow.example/base/#/experiments/3/runs/f00"
    assert runs["serve"] is None


def test_a_study_without_runs_has_no_links(tmp_path):
    assert find_runs(tmp_path) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"uri": "sqlite:///a.db"}', '{"uri": null, "experiment": "3"}'])
def test_an_edited_file_is_named(tmp_path, content):
    (tmp_path / "experiment.json").write_text(content)
    with pytest.raises(ValueError, match=r"experiment\.json: expected "):
        find_runs(tmp_path)
