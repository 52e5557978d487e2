"""Nested runs of stages."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lungpipe.services.tracking import RunReference, TrackingError, stage_run
from lungpipe.services.tracking.stage import METRICS_PER_BATCH


def nested(client, reference: RunReference, view: int = 1) -> list:
    query = f"tags.mlflow.parentRunId = '{reference.run_id}'"
    return client.search_runs([reference.experiment_id], query, run_view_type=view)


def break_down(reference: RunReference) -> None:
    with stage_run(reference, "score_candidates", fold=1) as stage:
        stage.log(0, {"loss": 2.0})
        _ = 1 / 0


def test_a_stage_is_a_nested_run_with_its_place(reference: RunReference, client) -> None:
    with stage_run(reference, "train_segmenter", fold=3) as stage:
        stage.log_params({"training": {"num_steps": 7}, "device": "cpu"})
        stage.log_metrics({"dice": 0.5})
    with stage_run(reference, "prepare_subset", subset=0):
        pass
    runs = {run.info.run_name: run for run in nested(client, reference)}
    assert set(runs) == {"train_segmenter/fold3", "prepare_subset/subset0"}
    run = runs["train_segmenter/fold3"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"training.num_steps": "7", "device": "cpu"}
    assert run.data.metrics == {"dice": 0.5}
    assert run.data.tags["lungpipe.fold"] == "3"
    assert "lungpipe.subset" not in run.data.tags
    assert runs["prepare_subset/subset0"].data.tags["lungpipe.subset"] == "0"


def test_every_step_arrives_in_order_however_many(reference: RunReference, client) -> None:
    count = 2 * METRICS_PER_BATCH + 1
    with stage_run(reference, "train_segmenter", fold=0) as stage:
        for step in range(count):
            stage.log(step, {"loss": 1.0 / (step + 1), "rate": math.nan})
    run = nested(client, reference)[0]
    history = sorted(client.get_metric_history(run.info.run_id, "loss"), key=lambda metric: metric.step)
    assert [metric.step for metric in history] == list(range(count))
    assert [metric.value for metric in history] == [1.0 / (step + 1) for step in range(count)]
    assert run.data.metrics["loss"] == pytest.approx(1.0 / count)


def test_files_tables_and_figures_are_artifacts(reference: RunReference, client, results: Path, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    file = tmp_path / "history.txt"
    file.write_text("1")
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    with stage_run(reference, "draw_figures") as stage:
        stage.log_artifact(file)
        stage.log_table(pd.DataFrame({"subset": [0, 1], "num_scans": [4, 5]}), "accounting")
        stage.log_figure(figure, "froc")
    run = nested(client, reference)[0]
    folder = results / "mlartifacts" / run.info.run_id / "artifacts"
    assert {path.name for path in folder.iterdir()} == {"history.txt", "accounting.json", "froc.png"}
    assert json.loads((folder / "accounting.json").read_text())["data"] == [[0, 4], [1, 5]]
    assert (folder / "froc.png").read_bytes().startswith(b"\x89PNG")


def test_an_error_fails_the_run_keeps_its_metrics_and_goes_on_upwards(reference: RunReference, client) -> None:
    with pytest.raises(ZeroDivisionError):
        break_down(reference)
    with pytest.raises(KeyboardInterrupt), stage_run(reference, "score_candidates", fold=2):
        raise KeyboardInterrupt
    runs = {run.info.run_name: run for run in nested(client, reference)}
    assert runs["score_candidates/fold1"].info.status == "FAILED"
    assert runs["score_candidates/fold1"].data.metrics == {"loss": 2.0}
    assert runs["score_candidates/fold2"].info.status == "KILLED"


def test_a_stage_that_runs_again_supersedes_only_itself(reference: RunReference, client) -> None:
    for fold in (1, 1, 11):
        with stage_run(reference, "train_classifier", fold=fold):
            pass
    current = {run.info.run_name: run.info.run_id for run in nested(client, reference)}
    assert set(current) == {"train_classifier/fold1", "train_classifier/fold11"}
    [deleted] = nested(client, reference, view=2)
    assert deleted.data.tags["lungpipe.superseded_by"] == current["train_classifier/fold1"]


@pytest.mark.parametrize("column", ["series_uid", "patient_id", "PatientName"])
def test_tables_about_persons_are_refused_with_and_without_tracking(reference: RunReference, column: str) -> None:
    table = pd.DataFrame({column: ["x"], "diameter_mm": [4.0]})
    for target in (reference, RunReference()):
        with pytest.raises(TrackingError, match=f"qc: .*found {column}"), stage_run(target, "prepare_subset") as stage:
            stage.log_table(table, "qc")


def test_without_tracking_every_call_does_nothing_and_mlflow_is_not_imported(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from lungpipe.services.tracking import RunReference, stage_run
with stage_run(RunReference(), "train_segmenter", fold=0) as stage:
    stage.log(0, {"loss": 1.0})
    stage.log_metrics({"dice": 1.0})
    stage.log_params({"a": 1})
    stage.log_artifact(Path("absent"))
    stage.log_table({"a": [1]}, "table")
    stage.log_figure(None, "figure")
assert "mlflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_passes_through_an_untracked_stage() -> None:
    with pytest.raises(ZeroDivisionError):
        break_down(RunReference())


def test_a_stage_whose_store_is_gone_says_so(reference: RunReference, results: Path) -> None:
    (results / "mlflow.db").unlink()
    with pytest.raises(TrackingError, match="expected the tracking store"), stage_run(reference, "train_segmenter"):
        pass
    assert not (results / "mlflow.db").exists()
