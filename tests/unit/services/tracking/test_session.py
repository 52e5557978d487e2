"""The runs around one run of the workflow."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from waiting import wait_until

from lungpipe.services.tracking.current import CURRENT, EXPERIMENT, CurrentRun
from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.records import Begin, Record, pending_records
from lungpipe.services.tracking.sender import SECONDS_BETWEEN_PASSES, note_parent
from lungpipe.services.tracking.session import TrackingSession
from lungpipe.services.tracking.store import connect
from lungpipe.settings.difference import SETTINGS_FILE, settings_text

RECIPES = Path(__file__).parents[4] / "recipes"


@pytest.fixture
def session(settings):
    return TrackingSession(settings)


def runs(settings):
    client = connect(f"sqlite:///{settings.results_dir}/mlflow.db")
    found = client.get_experiment_by_name(settings.dataset.name)
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])} if found else {}


def test_dataset_and_study_have_a_run_each_that_ends_as_the_workflow_did(settings, session):
    session.open()
    study, dataset = (
        CurrentRun.read(folder / "tracking/run.json") for folder in (settings.study_dir, settings.dataset_dir)
    )
    assert study.plan != dataset.plan
    Record(settings.study_dir / "tracking/outbox", Begin(str(study.plan), "evaluate_study")).end("FINISHED")
    assert session.close("FAILED") is None
    states = {name: run.info.status for name, run in runs(settings).items()}
    assert states == {"volumes": "FAILED", "flagship": "FAILED", "evaluate_study": "FINISHED"}
    assert all(
        run.data.tags["mlflow.source.git.commit"]
        for run in runs(settings).values()
        if run.info.run_name != "evaluate_study"
    )
    first = {name: run.info.run_id for name, run in runs(settings).items()}
    again = TrackingSession(settings)
    again.open()
    assert again.close("FINISHED") is None
    assert {name: run.info.run_id for name, run in runs(settings).items()} == first
    assert runs(settings)["flagship"].info.status == "FINISHED"


@pytest.mark.parametrize(
    ("uri", "start"),
    [
        ("sqlite:///results/mlflow.db", "make ui, then http://127.0.0.1:5000"),
        ("sqlite:///other.db", "make ui STORE=sqlite:///other.db, then http://127.0.0.1:5000"),
        ("https://mlflow.example/", "https://mlflow.example"),
    ],
)
def test_the_link_opens_the_studys_run(settings, uri, start):
    session = TrackingSession(settings)
    assert session.link() is None
    folder = settings.study_dir / "tracking"
    CurrentRun("0123456789abcdef", "abc").write(folder / CURRENT)
    note_parent(folder, uri, {"another plan": ("8", "b")})
    assert session.link() is None
    note_parent(folder, uri, {"0123456789abcdef": ("7", "a")})
    assert session.link() == f"run in MLflow: {start}/#/experiments/7/runs/a"


@pytest.mark.parametrize("content", ["{", "[1]", '{"uri": 7}', "[" * 100_000])
def test_an_edited_link_is_written_again(settings, caplog, content):
    folder = settings.study_dir / "tracking"
    CurrentRun("0123456789abcdef", "abc").write(folder / CURRENT)
    (folder / EXPERIMENT).write_text(content)
    note_parent(folder, "sqlite:///results/mlflow.db", {"0123456789abcdef": ("7", "a")})
    assert TrackingSession(settings).link().endswith("/#/experiments/7/runs/a")
    is_json = content in ("[1]", '{"uri": 7}')
    assert bool(caplog.messages) != is_json
    assert all(text.endswith("; the file is written again") for text in caplog.messages)


def test_the_note_says_what_another_study_of_the_dataset_does_differently(settings):
    first = settings.study_dir
    first.mkdir(parents=True)
    (first / SETTINGS_FILE).write_text(settings_text(settings.model_dump(mode="json")))
    variant = settings.model_copy(update={"name": "seed7", "seed": 7})
    _, (_, plan, _) = TrackingSession(variant)._plans()
    assert plan.name == "seed7"
    assert plan.note.endswith(f"Compared with `flagship`: seed 7 (there {settings.seed})")


def test_a_study_whose_settings_were_edited_is_left_out_with_a_word(settings):
    other = settings.dataset_dir / "other"
    other.mkdir(parents=True)
    (other / SETTINGS_FILE).write_text("seed: [1")
    said = []
    _, (_, plan, _) = TrackingSession(settings, say=said.append)._plans()
    assert "Compared" not in plan.note
    [line] = said
    assert "other/settings.yaml: expected the settings of a study in YAML, found" in line


def test_the_data_is_named_by_its_targets_once_they_are_there(settings, session, uri):
    def digest_at_opening():
        one = TrackingSession(settings)
        one.open()
        assert one.close("FINISHED") is None
        return runs(settings)["flagship"].data.tags["lungpipe.data_sha256"]

    assert digest_at_opening() == "unknown"
    folder = settings.dataset_dir / "targets"
    folder.mkdir()
    for name in ("series", "nodules"):
        (folder / f"{name}.parquet").write_text(name)
    assert len(digest_at_opening()) == 64


def test_what_is_not_tracked_is_opened_and_closed_without_a_store(settings, tmp_path):
    silent = settings.model_copy(update={"tracking": settings.tracking.model_copy(update={"is_enabled": False})})
    session = TrackingSession(silent)
    session.open()
    assert session.close("FINISHED") is None
    assert CurrentRun.read(silent.study_dir / "tracking/run.json").plan is None
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"run.json"}


@pytest.mark.parametrize("was_left", [True, False])
def test_what_was_left_is_sent_where_the_workflow_has_nothing_to_do(settings, session, uri, was_left):
    if was_left:
        killed = TrackingSession(settings)
        killed._start = lambda uri: None
        killed.open()
        for record in killed._records:
            # as when its process ends: with the file, its lock is gone
            os.close(record._file)
    assert session.send_left() is None
    assert not pending_records(settings.study_dir / "tracking/outbox")
    assert (settings.study_dir / "tracking/sender.log").exists() == was_left
    if was_left:
        assert {run.info.status for run in runs(settings).values()} == {"KILLED"}


def test_both_runs_are_running_as_long_as_the_session(settings, session, uri):
    session.open()
    wait_until(lambda: set(runs(settings)) == {"volumes", "flagship"})
    # two more passes of the sender
    time.sleep(2.5 * SECONDS_BETWEEN_PASSES)
    assert {run.info.status for run in runs(settings).values()} == {"RUNNING"}
    assert session.close("FINISHED") is None
    assert {run.info.status for run in runs(settings).values()} == {"FINISHED"}


def test_a_session_that_was_opened_leaves_nothing_to_send(settings, session, uri):
    session.open()
    assert session.send_left() is None
    assert session.close("FINISHED") is None


def test_a_store_that_breaks_meanwhile_is_told_when_the_session_ends(settings, session, uri, results):
    session.open()
    (results / "mlflow.db").write_text("a note")
    message = session.close("FINISHED")
    assert message is not None
    assert "not all was sent" in message
    assert "The next run sends what is left" in message
    assert pending_records(settings.study_dir / "tracking/outbox")


def test_a_wrong_store_is_refused_before_anything_is_written(settings, tmp_path):
    wrong = settings.model_copy(update={"tracking": settings.tracking.model_copy(update={"uri": "sqllite:///x.db"})})
    with pytest.raises(TrackingError, match="found 'sqllite'"):
        TrackingSession(wrong).open()
    assert list(tmp_path.iterdir()) == []


def test_opening_imports_no_mlflow(settings, uri):
    code = f"""
        import sys
        from lungpipe.services.tracking.session import TrackingSession
        from pathlib import Path
        from lungpipe.settings import load_study
        settings = load_study({{"results_dir": {settings.results_dir!r}}}, Path({str(RECIPES)!r}))
        session = TrackingSession(settings)
        session.open()
        assert session.close("FINISHED") is None
        assert not {{"mlflow", "torch"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert runs(settings)["flagship"].info.status == "FINISHED"


def test_a_workflow_that_is_killed_ends_its_runs_and_its_sender(settings, uri):
    code = f"""
        import os
        from lungpipe.services.tracking.session import TrackingSession
        from pathlib import Path
        from lungpipe.settings import load_study
        settings = load_study({{"results_dir": {settings.results_dir!r}}}, Path({str(RECIPES)!r}))
        session = TrackingSession(settings)
        session.open()
        print(session._sender.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert killed.returncode == -9
    wait_until(lambda: is_gone(int(killed.stdout)))
    assert {name: run.info.status for name, run in runs(settings).items()} == {
        "volumes": "KILLED",
        "flagship": "KILLED",
    }


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
