"""The parent run of a study: opened once, found again, finished with the numbers that compare recipes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lungpipe.services.provenance import environment, file_digest, git_commit
from lungpipe.services.tracking.reference import RunReference
from lungpipe.services.tracking.store import artifact_location, connect, connect_existing, ensure_store, tracking_uri
from lungpipe.settings import StudySettings

DIGEST_TAG = "lungpipe.study_digest"
DATA_TAG = "lungpipe.data_sha256"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages open on the runs and their charts, not on traces of language models."""
PARAMS_PER_BATCH = 100
"""The most that one call of MLflow's `log_batch` takes."""


def open_study_run(settings: StudySettings, out: Path, data_paths: Iterable[Path] = ()) -> RunReference:
    """Find or create the one parent run of this study and write its reference to `out` (`run.json`).

    A run is found again by a digest of recipe, dataset and config; the experiment is the dataset's name. Where
    tracking is disabled, the reference is empty and every stage's logging does nothing.

    Args:
        settings: the study; how and where it is tracked is no part of its digest.
        out: the file that the stages read.
        data_paths: files whose contents identify the data (annotations, series table).
    """
    note = f"Recipe `{settings.recipe}` on `{settings.dataset.name}`, folds {list(settings.folds)}"
    plan = _Plan(settings.recipe, note, _study_identity(settings), tuple(data_paths))
    return _open_run(settings, out, plan)


def open_dataset_run(settings: StudySettings, out: Path) -> RunReference:
    """Find or create the run of what all recipes share: a dataset's targets and volumes; see `open_study_run`."""
    identity = settings.model_dump(mode="json", include={"dataset", "preprocessing"})
    return _open_run(settings, out, _Plan("volumes", f"Targets and volumes of `{settings.dataset.name}`", identity))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a parent run is called and stands for; `identity` (nested settings) decides whether it is the same run."""

    name: str
    note: str
    identity: Mapping[str, Any]
    data_paths: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        content = json.dumps({"name": self.name, **self.identity}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def _open_run(settings: StudySettings, out: Path, plan: _Plan) -> RunReference:
    if not settings.tracking.is_enabled:
        reference = RunReference()
    else:
        uri = tracking_uri(settings)
        ensure_store(uri)
        client = connect(uri)
        experiment = _experiment(client, settings.dataset.name, artifact_location(uri, settings))
        reference = RunReference(uri, experiment, _find_or_create(client, experiment, plan))
        _describe(client, str(reference.run_id), plan)
    reference.write(out)
    return reference


def finish_study(
    reference: RunReference,
    metrics: Mapping[str, float],
    artifacts: Iterable[Path] = (),
    data_paths: Iterable[Path] = (),
) -> None:
    """Log the final metrics (CPM, AUC ...), files and the digest of the data to the parent run and close it."""
    if not reference.is_enabled:
        return
    client = connect_existing(str(reference.uri))
    log_values(client, str(reference.run_id), metrics)
    if paths := tuple(data_paths):
        client.set_tag(reference.run_id, DATA_TAG, file_digest(paths))
    for path in artifacts:
        client.log_artifact(reference.run_id, str(path))
    client.set_terminated(reference.run_id, "FINISHED")


def log_values(client: Any, run_id: str, metrics: Mapping[str, float]) -> None:
    """Log metrics that have no step."""
    for key, value in metrics.items():
        client.log_metric(run_id, key, float(value))


def log_flat_params(client: Any, run_id: str, params: Mapping[str, object]) -> None:
    """Log nested params under dotted names; repeating a param with the same value is allowed."""
    from mlflow.entities import Param

    flat = [Param(key, value) for key, value in _flatten(params)]
    for start in range(0, len(flat), PARAMS_PER_BATCH):
        client.log_batch(run_id, params=flat[start : start + PARAMS_PER_BATCH])


def _study_identity(settings: StudySettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"tracking", "results_dir"})


def _experiment(client: Any, name: str, location: str | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))
        except MlflowException as error:
            # another study of the same dataset was faster
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _find_or_create(client: Any, experiment: str, plan: _Plan) -> str:
    found = client.search_runs([experiment], f"tags.{DIGEST_TAG} = '{plan.digest}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)
    tags = {DIGEST_TAG: plan.digest, "mlflow.source.name": "lungpipe"}
    return str(client.create_run(experiment, run_name=plan.name, tags=tags).info.run_id)


def _describe(client: Any, run_id: str, plan: _Plan) -> None:
    from mlflow.entities import RunTag

    tags = {
        "mlflow.source.git.commit": git_commit(),
        "mlflow.note.content": plan.note,
        DATA_TAG: file_digest(plan.data_paths) if plan.data_paths else "unknown",
    }
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    log_flat_params(client, run_id, plan.identity)
    client.log_text(run_id, yaml.safe_dump(dict(plan.identity), sort_keys=False), "config.yaml")
    client.log_dict(run_id, environment(), "environment.json")


def _flatten(params: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)
