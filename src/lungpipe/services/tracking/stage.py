"""One nested run per stage, fold and subset."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from lungpipe.services.provenance import git_commit
from lungpipe.services.tracking.reference import RunReference
from lungpipe.services.tracking.store import TrackingError, connect_existing
from lungpipe.services.tracking.study import log_flat_params

STAGE_TAG = "lungpipe.stage"
SUPERSEDED_TAG = "lungpipe.superseded_by"
METRICS_PER_BATCH = 500
SECONDS_PER_BATCH = 5.0
IDENTIFIERS = frozenset({"series_uid", "patient_id", "study_uid", "PatientID", "PatientName", "seriesuid"})
"""Columns that tell which person a row is about; tables with them stay in the results folder."""


class Stage(Protocol):
    """What a script logs to; the same calls with and without tracking."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics of a step: the plain callable that loops receive."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params; nested ones get dotted names."""

    def log_artifact(self, path: Path) -> None:
        """Log a copy of a file."""

    def log_table(self, table: Any, name: str) -> None:
        """Log a pandas table as `<name>.json`; raises TrackingError for a table with identifiers of patients."""

    def log_figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as `<name>.png`."""


class NullStage:
    """A stage of a study that is not tracked: every call does nothing."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Do nothing."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path) -> None:
        """Do nothing."""

    def log_table(self, table: Any, name: str) -> None:
        """Do nothing but refuse what a tracked stage refuses."""
        _refuse_identifiers(table, name)

    def log_figure(self, figure: Any, name: str) -> None:
        """Do nothing."""


class RunStage:
    """A stage with a run of its own; metrics are gathered and sent together (3 ms each alone, 0.06 ms together)."""

    def __init__(self, client: Any, run_id: str) -> None:
        """Log to the run `run_id`."""
        self.run_id = run_id
        self._client = client
        self._waiting: list[Any] = []
        self._sent_at = time.monotonic()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics of a step: the plain callable that loops receive."""
        self.log_metrics(metrics, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; they reach the store within 5 seconds of training, and all of them when the stage ends."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting.extend(Metric(key, float(value), now, step) for key, value in metrics.items())
        if len(self._waiting) >= METRICS_PER_BATCH or time.monotonic() - self._sent_at > SECONDS_PER_BATCH:
            self.flush()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params; nested ones get dotted names."""
        log_flat_params(self._client, self.run_id, params)

    def log_artifact(self, path: Path) -> None:
        """Log a copy of a file."""
        self._client.log_artifact(self.run_id, str(path))

    def log_table(self, table: Any, name: str) -> None:
        """Log a pandas table as `<name>.json`; raises TrackingError for a table with identifiers of patients."""
        _refuse_identifiers(table, name)
        self._client.log_table(self.run_id, table, f"{name}.json")

    def log_figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as `<name>.png`."""
        self._client.log_figure(self.run_id, figure, f"{name}.png")

    def flush(self) -> None:
        """Send the metrics that wait."""
        while self._waiting:
            self._client.log_batch(self.run_id, metrics=self._waiting[:METRICS_PER_BATCH])
            del self._waiting[:METRICS_PER_BATCH]
        self._sent_at = time.monotonic()


@contextmanager
def stage_run(
    reference: RunReference, stage: str, *, fold: int | None = None, subset: int | None = None
) -> Iterator[Stage]:
    """Open the nested run of a stage; it ends FINISHED, FAILED on an error or KILLED on an interrupt.

    Earlier runs of the same stage, fold and subset of this study are tagged as superseded and moved to MLflow's bin.
    """
    if not reference.is_enabled:
        yield NullStage()
        return
    client = connect_existing(str(reference.uri))
    run = RunStage(client, _start(client, reference, stage, {"fold": fold, "subset": subset}))
    try:
        yield run
        run.flush()
    except BaseException as error:
        run.flush()
        client.set_terminated(run.run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run.run_id, "FINISHED")


def _start(client: Any, reference: RunReference, stage: str, places: Mapping[str, int | None]) -> str:
    given = {name: number for name, number in places.items() if number is not None}
    key = "/".join([stage, *(f"{name}{number}" for name, number in given.items())])
    query = f"tags.{STAGE_TAG} = '{key}' and tags.mlflow.parentRunId = '{reference.run_id}'"
    earlier = client.search_runs([reference.experiment_id], query)
    tags = {
        STAGE_TAG: key,
        "mlflow.parentRunId": reference.run_id,
        "mlflow.source.name": "lungpipe",
        "mlflow.source.git.commit": git_commit(),
        **{f"lungpipe.{name}": str(number) for name, number in given.items()},
    }
    run_id = str(client.create_run(reference.experiment_id, run_name=key, tags=tags).info.run_id)
    for run in earlier:
        client.set_tag(run.info.run_id, SUPERSEDED_TAG, run_id)
        client.delete_run(run.info.run_id)
    return run_id


def _refuse_identifiers(table: Any, name: str) -> None:
    found = sorted(IDENTIFIERS & {str(column) for column in table})
    if found:
        raise TrackingError(f"{name}: expected a table without identifiers of patients, found {', '.join(found)}")
