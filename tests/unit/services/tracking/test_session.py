"""The runs around one run of the workflow."""

from pathlib import Path

import pytest

from lungpipe.services.tracking import RunReference, close_runs, finish_study, open_runs


@pytest.fixture
def opened(settings, reference):
    """Both runs, opened in a store that is there; the dataset's first."""
    open_runs(settings)
    folders = settings.dataset_dir, settings.recipe_dir
    return [RunReference.read(folder / "tracking" / "run.json") for folder in folders]


def states(client, references):
    return [client.get_run(one.run_id).info.status for one in references]


def test_dataset_and_study_have_a_run_each(opened, client):
    assert [client.get_run(one.run_id).info.run_name for one in opened] == ["volumes", "flagship"]
    assert states(client, opened) == ["RUNNING", "RUNNING"]


@pytest.mark.parametrize("status", ["FINISHED", "FAILED"])
def test_both_end_as_the_workflow_did(settings, opened, client, status):
    close_runs(settings, status)
    assert states(client, opened) == [status, status]


def test_the_next_run_of_the_workflow_goes_on_with_the_same(settings, opened, client):
    close_runs(settings, "FAILED")
    open_runs(settings)
    again = [RunReference.read(folder / "tracking/run.json") for folder in (settings.dataset_dir, settings.recipe_dir)]
    assert again == opened
    assert states(client, opened) == ["RUNNING", "RUNNING"]


def test_another_recipe_shares_the_run_of_the_dataset(settings, opened):
    other = settings.model_copy(update={"recipe": "patch48"})
    open_runs(other)
    assert RunReference.read(other.dataset_dir / "tracking/run.json") == opened[0]
    assert RunReference.read(other.recipe_dir / "tracking/run.json") != opened[1]


def test_the_data_is_named_by_its_targets_once_they_are_there(settings, opened, client):
    assert client.get_run(opened[1].run_id).data.tags["lungpipe.data_sha256"] == "unknown"
    folder = settings.dataset_dir / "targets"
    folder.mkdir()
    for name in ("series", "nodules"):
        (folder / f"{name}.parquet").write_text(name)
    open_runs(settings)
    assert len(client.get_run(opened[1].run_id).data.tags["lungpipe.data_sha256"]) == 64


def test_what_is_not_tracked_is_opened_and_closed_without_a_store(settings, tmp_path):
    silent = settings.model_copy(update={"tracking": settings.tracking.model_copy(update={"is_enabled": False})})
    open_runs(silent)
    close_runs(silent, "FINISHED")
    assert not RunReference.read(silent.recipe_dir / "tracking/run.json").is_enabled
    assert not list(Path(tmp_path).rglob("*.db"))


def test_a_study_that_made_its_targets_itself_names_its_data_when_it_is_finished(settings, opened, client, tmp_path):
    data = tmp_path / "nodules.parquet"
    data.write_text("nodules")
    finish_study(opened[1], {"cpm": 0.5}, [], [data])
    run = client.get_run(opened[1].run_id)
    assert len(run.data.tags["lungpipe.data_sha256"]) == 64
    assert run.data.metrics == {"cpm": 0.5}
