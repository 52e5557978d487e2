"""The parent run of a study."""

import math
from pathlib import Path

import pytest
import yaml

from lungpipe.services.tracking import RunReference, finish_study, open_dataset_run, open_study_run
from lungpipe.services.tracking.store import connect
from lungpipe.settings import EvaluationSettings, StudySettings, TrackingSettings


def test_the_parent_run_holds_settings_config_commit_environment_and_data(
    settings: StudySettings, reference: RunReference, results: Path, tmp_path: Path
) -> None:
    data = tmp_path / "annotations.csv"
    data.write_text("seriesuid,coordX\n")
    assert open_study_run(settings, Path("run.json"), [data]) == reference
    client = connect(reference.uri)
    run = client.get_run(reference.run_id)
    assert client.get_experiment(reference.experiment_id).name == "phantom"
    assert run.info.run_name == "flagship"
    assert run.info.status == "RUNNING"
    assert run.data.params["detector.training.num_steps"] == str(settings.detector.training.num_steps)
    assert run.data.params["folds"] == "[0, 3, 7]"
    assert run.data.tags["mlflow.source.git.commit"]
    assert len(run.data.tags["lungpipe.data_sha256"]) == 64
    artifacts = results / "mlartifacts" / reference.run_id / "artifacts"
    config = yaml.safe_load((artifacts / "config.yaml").read_text())
    assert config["preprocessing"]["spacing_zyx_mm"] == [1.0, 1.0, 1.0]
    assert {path.name for path in artifacts.iterdir()} == {"config.yaml", "environment.json"}


def test_nothing_logged_names_a_place_of_this_machine(
    reference: RunReference, client, results: Path, tmp_path: Path
) -> None:
    run = client.get_run(reference.run_id)
    words = [*run.data.params.values(), *run.data.tags.values(), Path("run.json").read_text()]
    words += [path.read_text() for path in (results / "mlartifacts").rglob("*.*") if path.is_file()]
    assert len(words) > 50
    assert not [word for word in words if str(tmp_path) in word or str(Path.home()) in word]


def test_the_same_study_is_found_again_and_another_is_another_run(
    settings: StudySettings, reference: RunReference
) -> None:
    first = reference
    content = Path("run.json").read_bytes()
    finish_study(first, {"cpm": 0.5})
    # where and how a study is tracked does not make it another study
    again = settings.model_copy(update={"tracking": TrackingSettings(uri=first.uri)})
    assert open_study_run(again, Path("run.json")) == first
    assert Path("run.json").read_bytes() == content
    assert connect(first.uri).get_run(first.run_id).info.status == "RUNNING"
    other = settings.model_copy(update={"recipe": "book"})
    second = open_study_run(other, Path("other.json"))
    assert second.experiment_id == first.experiment_id
    assert second.run_id != first.run_id


def test_every_setting_but_those_of_tracking_makes_another_run(
    settings: StudySettings, reference: RunReference
) -> None:
    changes = [{"seed": 1}, {"evaluation": EvaluationSettings(num_bootstraps=7)}, {"folds": (1,)}]
    runs = {open_study_run(settings.model_copy(update=change), Path("other.json")).run_id for change in changes}
    assert len(runs - {reference.run_id}) == 3


def test_recipes_share_the_run_of_their_volumes(settings: StudySettings, reference: RunReference, client) -> None:
    volumes = open_dataset_run(settings, Path("volumes.json"))
    assert open_dataset_run(settings.model_copy(update={"recipe": "book", "seed": 1}), Path("v.json")) == volumes
    assert volumes.experiment_id == reference.experiment_id
    run = client.get_run(volumes.run_id)
    assert run.info.run_name == "volumes"
    assert run.data.params["preprocessing.lung_mask"] == "threshold"
    assert not [key for key in run.data.params if key.startswith("detector")]
    coarse = settings.preprocessing.model_copy(update={"spacing_zyx_mm": (2.0, 2.0, 2.0)})
    other = open_dataset_run(settings.model_copy(update={"preprocessing": coarse}), Path("v.json"))
    assert other.run_id != volumes.run_id


def test_final_metrics_and_files_are_on_the_parent_run(reference: RunReference, client, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<p>")
    finish_study(reference, {"cpm": 0.75, "malignancy_auc": math.nan}, [page])
    run = client.get_run(reference.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["cpm"] == 0.75
    assert math.isnan(run.data.metrics["malignancy_auc"])
    assert "report.html" in [found.path for found in client.list_artifacts(reference.run_id)]
    finish_study(reference, {"cpm": 0.8})
    assert client.get_run(reference.run_id).data.metrics["cpm"] == 0.8


def test_a_deleted_experiment_is_restored(reference: RunReference, client, settings: StudySettings) -> None:
    client.delete_experiment(reference.experiment_id)
    assert open_study_run(settings, Path("run.json")).experiment_id == reference.experiment_id
    assert client.get_experiment(reference.experiment_id).lifecycle_stage == "active"


def test_without_tracking_there_is_a_reference_and_no_store(settings: StudySettings, tmp_path: Path) -> None:
    silent = settings.model_copy(update={"tracking": TrackingSettings(is_enabled=False)})
    reference = open_study_run(silent, Path("run.json"))
    finish_study(reference, {"cpm": 0.5})
    assert not RunReference.read(Path("run.json")).is_enabled
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["run.json", "deep/tracking/run.json"])
def test_the_reference_on_disk_is_the_one_returned(settings: StudySettings, reference: RunReference, name: str) -> None:
    assert open_study_run(settings, Path(name)) == RunReference.read(Path(name)) == reference
