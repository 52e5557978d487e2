"""A study whose results and tracking store are in a temporary folder, and what its jobs and the sender do there."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lungpipe.services.tracking.plans import RunPlan, plan_study
from lungpipe.services.tracking.records import Begin, Record, now_ms
from lungpipe.services.tracking.sender import send_all
from lungpipe.services.tracking.sending import RecordSender
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
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    # a name of its own per test: MLflow keeps one connection per URI and process, and these are relative
    return load_study({"results_dir": f"results-{tmp_path.name}"}, RECIPES)


@pytest.fixture
def results(settings: StudySettings, tmp_path: Path) -> Path:
    return tmp_path / settings.results_dir


@pytest.fixture
def uri(settings: StudySettings, results: Path, empty_store: Path) -> str:
    results.mkdir()
    shutil.copy(empty_store, results / "mlflow.db")
    return f"sqlite:///{settings.results_dir}/mlflow.db"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return connect(uri)


class Study:
    """The tracking folder of a study, what its jobs write there, and what MLflow then shows."""

    def __init__(self, folder: Path, plan: RunPlan, client: MlflowClient, uri: str, location: str) -> None:
        self.outbox, self.plan, self.client, self.uri, self.location = folder / "outbox", plan, client, uri, location
        plan.write(folder / "plans")

    def record(self, stage: str | None = "train_detector", **given) -> Record:
        """Begin a record as a job does."""
        return Record(self.outbox, Begin(self.plan.digest, stage, **given))

    def sender(self) -> RecordSender:
        return RecordSender(self.client, self.uri, self.location, now_ms())

    def send(self, sender: RecordSender | None = None, *, is_last_pass: bool = False) -> list[str]:
        """Send once what is there, by default with a sender that has just started."""
        return send_all(sender or self.sender(), [self.outbox], is_last_pass=is_last_pass)

    def runs(self, view: int = 1) -> list:
        """Every run of the experiment, parents too."""
        found = self.client.get_experiment_by_name(self.plan.experiment)
        return list(self.client.search_runs([found.experiment_id], run_view_type=view)) if found else []

    def parent(self):
        [run] = [run for run in self.runs() if "mlflow.parentRunId" not in run.data.tags]
        return run

    def nested(self, view: int = 1) -> dict:
        """The runs of stages by name."""
        own = [run for run in self.runs(view) if "mlflow.parentRunId" in run.data.tags]
        assert {run.data.tags["mlflow.parentRunId"] for run in own} <= {self.parent().info.run_id}
        assert len({run.info.run_name for run in own}) == len(own)
        return {run.info.run_name: run for run in own}

    def history(self, run, metric: str) -> list[tuple[int, float]]:
        values = self.client.get_metric_history(run.info.run_id, metric)
        return sorted((value.step, value.value) for value in values)


@pytest.fixture
def study(settings: StudySettings, results: Path, client: MlflowClient, uri: str) -> Study:
    folder = results / "phantom" / "flagship" / "tracking"
    return Study(folder, plan_study(settings), client, uri, str(results / "mlartifacts"))
