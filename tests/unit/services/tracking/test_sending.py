"""Records become runs, each exactly once."""

import json
import math
import shutil
from pathlib import Path

import pytest
import yaml

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.records import pending_records
from lungpipe.services.tracking.sending import METRICS_PER_BATCH
from lungpipe.services.tracking.store import connect
from lungpipe.services.tracking.views import viewed_folds


def test_a_stage_is_a_nested_run_with_its_place_times_and_files(study, results, tmp_path):
    (tmp_path / "froc.png").write_bytes(b"png")
    with study.record(places={"fold": 3}, tags={"mlflow.source.git.commit": "abc"}, time=1000) as record:
        record.log(40, {"dice": 0.5})
        record.log_artifact(tmp_path / "froc.png")
    assert study.send() == []
    run = study.nested()["train_detector/fold3"]
    assert run.info.status == "FINISHED"
    assert run.info.start_time == 1000
    assert run.info.end_time > 1000
    assert run.data.metrics == {"dice": 0.5}
    assert run.data.tags["lungpipe.fold"] == "3"
    assert "lungpipe.subset" not in run.data.tags
    assert run.data.tags["mlflow.source.git.commit"] == "abc"
    assert (results / "mlartifacts" / run.info.run_id / "artifacts" / "froc.png").read_bytes() == b"png"
    assert [path.name for path in study.outbox.iterdir()] == [".lock"]


def test_the_parent_run_holds_settings_tags_config_environment_and_results(study, settings, results, tmp_path):
    with (
        study.record(None, time=1000, tags={"lungpipe.data_sha256": "unknown"}),
        study.record("evaluate_study") as record,
    ):
        record.log(0, {"cpm": 0.75, "auc": math.nan}, on_parent=True)
        record.log_tags({"lungpipe.data_sha256": "0" * 64}, on_parent=True)
    assert study.send() == []
    run = study.parent()
    assert (run.info.run_name, run.info.status) == ("flagship", "FINISHED")
    assert run.data.metrics["cpm"] == 0.75
    assert math.isnan(run.data.metrics["auc"])
    assert run.data.tags["lungpipe.data_sha256"] == "0" * 64
    assert run.data.params["detector.training.num_steps"] == str(settings.detector.training.num_steps)
    assert run.data.params["folds"] == "[0, 3, 7]"
    artifacts = results / "mlartifacts" / run.info.run_id / "artifacts"
    assert yaml.safe_load((artifacts / "config.yaml").read_text())["preprocessing"]["spacing_zyx_mm"] == [1.0, 1.0, 1.0]
    assert {path.name for path in artifacts.iterdir()} == {"config.yaml", "environment.json"}
    words = [*run.data.params.values(), *run.data.tags.values(), *(path.read_text() for path in artifacts.iterdir())]
    assert not [word for word in words if str(tmp_path) in word or str(Path.home()) in word]


def test_pages_show_figures_and_pictures_first_and_the_study_of_a_stage(study, tmp_path):
    (tmp_path / "froc.png").write_bytes(b"png")
    with study.record(None, time=1000), study.record("evaluate_study") as record:
        record.log(0, {"cpm": 0.75}, on_parent=True)
        record.log_artifact(tmp_path / "froc.png", on_parent=True)
    assert study.send() == []
    run = study.parent()
    lines = run.data.tags["mlflow.note.content"].splitlines()
    assert lines[0] == "- CPM: **0.750**"
    assert lines[2] == f"![froc.png](get-artifact?path=froc.png&run_uuid={run.info.run_id})"
    assert lines[-1] == study.plan.note
    assert study.nested()["evaluate_study"].data.tags["lungpipe.study"] == "flagship"
    study.client.set_experiment_tag(run.info.experiment_id, "mlflow.sharedViewState.folds", "metrics.`cpm_fold1`")
    # the next run of the workflow evaluates nothing again
    study.record(None).end("FINISHED")
    study.send()
    assert study.parent().data.tags["mlflow.note.content"].splitlines() == lines
    tags = study.client.get_experiment(run.info.experiment_id).tags
    assert {"mlflow.sharedViewState.studies", "mlflow.sharedViewState.folds", "mlflow.note.content"} <= set(tags)
    # of an earlier study and of this one
    assert viewed_folds(tags) == {0, 1, 3, 7}


def test_the_same_study_goes_on_in_the_same_run(study):
    for status in ("FAILED", "FINISHED"):
        study.record(None).end(status)
        assert study.send() == []
        assert study.parent().info.status == status
    assert len(study.runs()) == 1


def test_a_deleted_experiment_is_restored(study):
    study.record(None).end("FINISHED")
    study.send()
    experiment = study.parent().info.experiment_id
    study.client.delete_experiment(experiment)
    study.record(None).end("FINISHED")
    assert study.send() == []
    assert study.client.get_experiment(experiment).lifecycle_stage == "active"


def test_every_step_arrives_in_order_however_many(study):
    count = 2 * METRICS_PER_BATCH + 1
    with study.record() as record:
        for step in range(count):
            record.log(step, {"loss": 1.0 / (step + 1), "rate": math.nan})
    assert study.send() == []
    run = study.nested()["train_detector"]
    assert study.history(run, "loss") == [(step, 1.0 / (step + 1)) for step in range(count)]
    assert len(study.history(run, "rate")) == count
    assert run.data.metrics["loss"] == pytest.approx(1.0 / count)


def test_a_record_that_is_sent_twice_is_there_once(study, tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    with study.record() as record:
        for step in range(3):
            record.log(step, {"loss": step / 2, "rate": math.nan})
        record.log(0, {"cpm": 0.5}, on_parent=True)
        record.log_artifact(tmp_path / "page.html")
    kept = shutil.copy(record.path, tmp_path)
    study.send()
    once = study.nested()["train_detector"]
    # a sender that was killed before it removed what it had sent
    shutil.copy(kept, record.path)
    assert study.send() == []
    [again] = study.nested().values()
    assert again.info.run_id == once.info.run_id
    assert again.info.end_time == once.info.end_time
    assert study.history(again, "loss") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert len(study.history(again, "rate")) == 3
    assert study.history(study.parent(), "cpm") == [(0, 0.5)]
    assert pending_records(study.outbox) == []


def test_a_record_without_end_whose_process_is_gone_ends_killed_when_it_last_wrote(study):
    # POSIX locks do not hold against their own process: for this sender the process of the record is gone
    record = study.record(time=1000)
    record.log(1, {"loss": 0.5})
    last = json.loads(record.path.read_text().splitlines()[-1])["time"]
    with record.path.open("a") as stream:
        stream.write('{"kind": "metrics", "time": 9')
    assert study.send() == []
    run = study.nested()["train_detector"]
    assert (run.info.status, run.info.end_time) == ("KILLED", last)
    assert run.data.metrics == {"loss": 0.5}
    assert pending_records(study.outbox) == []


def test_a_record_of_another_machine_without_end_is_alive_until_the_last_pass(study):
    sender = study.sender()
    record = study.record(host="node7")
    record.log(1, {"loss": 0.5})
    for _ in range(2):
        assert study.send(sender) == []
        assert study.nested()["train_detector"].info.status == "RUNNING"
    record.log(2, {"loss": 0.25})
    study.send(sender)
    assert study.history(study.nested()["train_detector"], "loss") == [(1, 0.5), (2, 0.25)]
    study.send(sender, is_last_pass=True)
    assert study.nested()["train_detector"].info.status == "KILLED"


def test_a_record_of_another_machine_from_an_earlier_run_of_the_workflow_is_over(study):
    study.record(host="node7", time=1000)
    study.send()
    assert study.nested()["train_detector"].info.status == "KILLED"


def test_a_stage_that_runs_again_supersedes_only_itself(study):
    for fold in (1, 1, 11):
        study.record(places={"fold": fold}).end("FINISHED")
        study.send()
    current = {name: run.info.run_id for name, run in study.nested().items()}
    assert set(current) == {"train_detector/fold1", "train_detector/fold11"}
    [deleted] = study.nested(view=2).values()
    assert deleted.data.tags["lungpipe.superseded_by"] == current["train_detector/fold1"]


def test_a_run_is_superseded_once_its_own_record_is_sent_whole(study):
    sender = study.sender()
    # the workflow was killed, its job on another machine goes on, and the next workflow runs the stage again
    orphan = study.record(host="node7")
    study.send(sender)
    study.record(time=orphan_time(orphan) + 1).end("FINISHED")
    assert study.send(sender) == []
    assert len([run for run in study.runs() if run.info.run_name == "train_detector"]) == 2
    orphan.log(1, {"loss": 0.5})
    orphan.end("FINISHED")
    assert study.send(sender) == []
    assert study.nested()["train_detector"].data.metrics == {}
    assert study.nested(view=2)["train_detector"].data.metrics == {"loss": 0.5}


def orphan_time(record) -> int:
    return json.loads(record.path.read_text().splitlines()[0])["time"]


def test_a_file_that_is_gone_is_told_and_does_not_hold_up_the_rest(study, tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    with study.record() as record:
        record.log_artifact(tmp_path / "page.html")
        record.log(1, {"loss": 0.5})
    (tmp_path / "page.html").unlink()
    sender = study.sender()
    assert study.send(sender) == []
    assert [text.split(": ", 1)[1] for text in sender.lost] == ["expected a file to log, found none"]
    assert study.nested()["train_detector"].data.metrics == {"loss": 0.5}


def test_results_that_were_moved_before_they_were_sent_are_found(study, results, tmp_path):
    (results / "page.html").write_text("<p>")
    with study.record() as record:
        record.log_artifact(results / "page.html")
    outbox = record.path.parent.relative_to(results)
    shutil.copytree(results, tmp_path / "moved")
    (results / "page.html").unlink()
    study.outbox = tmp_path / "moved" / outbox
    sender = study.sender()
    assert study.send(sender) == sender.lost == []


def test_another_store_gets_the_whole_record(study, empty_store, tmp_path):
    sender = study.sender()
    record = study.record(host="node7")
    record.log(1, {"loss": 1.0})
    study.send(sender)
    shutil.copy(empty_store, tmp_path / "other.db")
    record.log(2, {"loss": 0.5})
    record.end("FINISHED")
    study.uri = f"sqlite:///{tmp_path}/other.db"
    study.client = connect(study.uri)
    assert study.send() == []
    assert study.history(study.nested()["train_detector"], "loss") == [(1, 1.0), (2, 0.5)]


def test_a_run_that_somebody_deleted_holds_up_nothing(study):
    sender = study.sender()
    record = study.record(host="node7")
    study.send(sender)
    study.client.delete_run(study.nested()["train_detector"].info.run_id)
    record.log(1, {"loss": 1.0})
    assert study.send(sender) == []
    assert pending_records(study.outbox) == []


def test_a_damaged_record_is_told_and_the_others_are_sent(study):
    study.outbox.mkdir(parents=True)
    (study.outbox / "0.damaged.jsonl").write_text("nonsense\n")
    study.record().end("FINISHED")
    [complaint] = study.send()
    assert complaint.startswith("0.damaged.jsonl: TrackingError: ")
    assert "expected the beginning of a run" in complaint
    assert set(study.nested()) == {"train_detector"}


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "metrics"}',
        '{"kind": "metrics", "time": "1", "step": 0, "values": {"loss": 1.0}}',
        '{"kind": "metrics", "time": 1, "step": 0, "values": [1.0]}',
        '{"kind": "end", "status": "DONE", "time": 1}',
    ],
)
def test_an_edited_line_is_told_and_the_others_are_sent(study, line):
    edited = study.record(places={"fold": 3}, time=1000)
    with edited.path.open("a") as stream:
        stream.write(f"{line}\n")
    study.record().end("FINISHED")
    [complaint] = study.send()
    assert complaint.startswith(f"{edited.path.name}: TrackingError: {edited.path}, from byte 0: expected lines of a")
    assert study.nested()["train_detector"].info.status == "FINISHED"


@pytest.mark.parametrize("content", ["{", "[1]", '{"uri": "sqlite:///a.db"}', "offset of another type"])
def test_an_edited_note_of_what_was_sent_is_told_and_the_others_are_sent(study, content):
    edited = study.record(places={"fold": 3}, time=1000)
    if "type" in content:
        content = json.dumps({"uri": study.uri, "run_id": "a", "offset": "7"})
    edited.path.with_suffix(".sent").write_text(content)
    study.record().end("FINISHED")
    [complaint] = study.send()
    note = edited.path.with_suffix(".sent")
    assert complaint.startswith(f"{edited.path.name}: TrackingError: {note}: expected what was sent of a record, found")
    assert set(study.nested()) == {"train_detector"}


def test_a_store_that_is_gone_is_told_and_not_made_anew(study, results):
    study.record().end("FINISHED")
    (results / "mlflow.db").unlink()
    [complaint] = study.send()
    assert "expected the tracking store that the run began with" in complaint
    assert len(pending_records(study.outbox)) == 1
    assert not (results / "mlflow.db").exists()


def test_a_record_without_its_plan_is_an_error_that_names_the_plan(study):
    path = study.outbox.parent / "plans" / f"{study.plan.digest}.json"
    path.unlink()
    record = study.record()
    with pytest.raises(TrackingError, match=rf"{path.name}: expected the plan"):
        study.sender().send(record.path)
