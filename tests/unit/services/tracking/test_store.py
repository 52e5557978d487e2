"""Where the store is, that it is made once, and that an older one is brought up to date."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from mlflow.store.db.utils import _get_alembic_config

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.store import (
    artifact_location,
    check_uri,
    connect,
    ensure_store,
    require_store,
    tracking_uri,
)
from lungpipe.settings import StudySettings, TrackingSettings


def test_the_uri_is_the_setting_then_the_environment_then_sqlite_in_results(
    settings: StudySettings, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri(settings) == f"sqlite:///{results.name}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri(settings) == "http://tracker:5000"
    own = settings.model_copy(update={"tracking": TrackingSettings(uri="sqlite:///own.db")})
    assert tracking_uri(own) == "sqlite:///own.db"


def test_a_password_does_not_get_into_a_results_folder(
    settings: StudySettings, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@tracker")
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        tracking_uri(settings)
    assert "secret" not in str(caught.value)


def test_artifacts_lie_in_results_unless_a_server_keeps_them(settings: StudySettings, results: Path) -> None:
    assert artifact_location("sqlite:///a.db", settings) == str(results / "mlartifacts")
    assert artifact_location("https://tracker", settings) is None


def test_many_may_ask_for_one_new_store_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/deep/mlflow.db"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ensure_store, [uri] * 3))
    assert connect(uri).create_experiment("one")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_a_store_that_is_gone_is_an_error_and_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"gone\.db: expected the tracking store"):
        require_store(f"sqlite:///{tmp_path}/gone.db")
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_an_older_mlflow_is_upgraded_and_keeps_its_experiments(tmp_path: Path, empty_store: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    connect(uri).create_experiment("kept")
    newest = rows(tmp_path, "select version_num from alembic_version")
    command.downgrade(_get_alembic_config(uri), "-1")
    assert rows(tmp_path, "select version_num from alembic_version") != newest
    ensure_store(uri)
    assert rows(tmp_path, "select version_num from alembic_version") == newest
    assert ("kept",) in rows(tmp_path, "select name from experiments")


def test_a_file_that_is_no_store_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("a note")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        ensure_store(f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").read_text() == "a note"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqllite:///x.db", "expected one of sqlite:///, http, https, mysql.*found .sqllite"),
        ("results/mlflow.db", "found 'results/mlflow.db'"),
        ("file:///results", "found .file"),
        ("sqlite:///note/mlflow.db", "note/mlflow.db: expected an MLflow store or a place for one"),
        ("sqlite:///note", "note: expected an MLflow store .*not a database"),
        ("sqlite:///other.db", "other.db: expected an MLflow store .*no such table"),
    ],
)
def test_what_cannot_be_a_store_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("note").write_text("a note")
    with closing(sqlite3.connect("other.db")) as database:
        database.execute("create table cakes (name text)")
    with pytest.raises(TrackingError, match=message):
        check_uri(uri)


def test_what_can_be_a_store_is_not(tmp_path: Path, empty_store: Path) -> None:
    for uri in (f"sqlite:///{tmp_path}/deep/new.db", f"sqlite:///{empty_store}", "postgresql+psycopg2://host/runs"):
        check_uri(uri)
    assert not (tmp_path / "deep" / "new.db").exists()


def rows(folder: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return database.execute(query).fetchall()
