"""A study whose results and tracking store lie in a temporary folder."""

import shutil
from pathlib import Path

import pytest

from lungpipe.services.tracking import RunReference, open_study_run
from lungpipe.services.tracking.store import connect, ensure_store
from lungpipe.settings import StudySettings, load_study

RECIPES = Path(__file__).parents[4] / "recipes"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store, made once: its tables take a second."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    ensure_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudySettings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    # a name of its own per test: MLflow keeps one connection per URI and process, and these are relative
    return load_study({"results_dir": f"results-{tmp_path.name}"}, RECIPES)


@pytest.fixture
def results(settings: StudySettings, tmp_path: Path) -> Path:
    return tmp_path / settings.results_dir


@pytest.fixture
def reference(settings: StudySettings, results: Path, empty_store: Path) -> RunReference:
    results.mkdir()
    shutil.copy(empty_store, results / "mlflow.db")
    return open_study_run(settings, Path("run.json"))


@pytest.fixture
def client(reference: RunReference):
    return connect(reference.uri)
