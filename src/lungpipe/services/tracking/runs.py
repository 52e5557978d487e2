"""Parent and nested runs in MLflow: found again or created, described, and superseded by later runs of a stage."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from lungpipe.services.provenance import environment
from lungpipe.services.tracking.plans import RunPlan
from lungpipe.services.tracking.records import Begin, now_ms
from lungpipe.services.tracking.views import NOTE_TAG, STUDY_TAG, experiment_tags, run_note, viewed_folds

DIGEST_TAG = "lungpipe.study_digest"
RECORD_TAG = "lungpipe.record"
STAGE_TAG = "lungpipe.stage"
SUPERSEDED_TAG = "lungpipe.superseded_by"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages open on the runs and their charts, not on traces of language models."""
PARAMS_PER_BATCH = 100
"""The most that one call of MLflow's `log_batch` takes."""


class Runs:
    """The runs of a tracking store. Every method may be repeated: a second call changes nothing."""

    def __init__(self, client: Any, location: str | None) -> None:
        """Use a client; `location` is the folder for the artifacts of new experiments, None where a server has one."""
        self._client, self.location = client, location
        self._parents: dict[str, tuple[str, str]] = {}

    def parent(self, plan: RunPlan) -> tuple[str, str]:
        """Return the ids of a plan's experiment and run; a run that is missing is created."""
        if plan.digest not in self._parents:
            experiment = self._experiment(plan.experiment)
            found = self._client.search_runs([experiment], f"tags.{DIGEST_TAG} = '{plan.digest}'", max_results=1)
            if found:
                run_id = str(found[0].info.run_id)
            else:
                tags = {DIGEST_TAG: plan.digest, "mlflow.source.name": "lungpipe"}
                run_id = str(self._client.create_run(experiment, run_name=plan.name, tags=tags).info.run_id)
                self._describe(run_id, plan)
            self._parents[plan.digest] = experiment, run_id
        return self._parents[plan.digest]

    def parents(self) -> dict[str, tuple[str, str]]:
        """Return the ids of experiment and run of every plan whose run was found or created, by the plan's digest."""
        return dict(self._parents)

    def reopen(self, plan: RunPlan, begin: Begin) -> str:
        """Set the parent run running again, with the tags that its record begins with; return its id."""
        experiment, run_id = self.parent(plan)
        self._client.update_run(run_id, status="RUNNING")
        self._describe(run_id, plan)
        if folds := plan.identity.get("folds"):
            # a study of one fold leaves the folds of earlier studies in the view
            seen = viewed_folds(self._client.get_experiment(experiment).tags)
            for key, value in experiment_tags(experiment, sorted({*folds, *seen}), now_ms()).items():
                self._client.set_experiment_tag(experiment, key, value)
        self.set_tags(run_id, begin.tags)
        return run_id

    def nested(self, plan: RunPlan, begin: Begin) -> str:
        """Return the id of a record's nested run, which is created once: the record's id is one of its tags."""
        experiment, parent = self.parent(plan)
        found = self._client.search_runs([experiment], f"tags.{RECORD_TAG} = '{begin.id}'", run_view_type=3)
        if found:
            return str(found[0].info.run_id)
        tags = {
            STAGE_TAG: begin.key,
            RECORD_TAG: begin.id,
            STUDY_TAG: plan.name,
            "mlflow.parentRunId": parent,
            "mlflow.source.name": "lungpipe",
            **{f"lungpipe.{name}": str(number) for name, number in begin.places.items()},
            **begin.tags,
        }
        run = self._client.create_run(experiment, start_time=begin.time, run_name=begin.key, tags=tags)
        return str(run.info.run_id)

    def supersede(self, plan: RunPlan, key: str, unsent: Sequence[str]) -> None:
        """Tag all but the latest run of a stage as superseded and move them to MLflow's bin.

        Runs whose records (`unsent`, ids) are not sent whole stay until they are: MLflow takes nothing for a run in
        the bin.
        """
        experiment, parent = self.parent(plan)
        query = f"tags.{STAGE_TAG} = '{key}' and tags.mlflow.parentRunId = '{parent}'"
        runs = sorted(self._client.search_runs([experiment], query), key=lambda run: run.info.start_time)
        for run in runs[:-1]:
            if run.data.tags.get(RECORD_TAG) not in unsent:
                self._client.set_tag(run.info.run_id, SUPERSEDED_TAG, runs[-1].info.run_id)
                self._client.delete_run(run.info.run_id)

    def write_note(self, run_id: str, plan: RunPlan) -> None:
        """Write a parent run's description: the figures and pictures that the run has so far, and the plan's note."""
        metrics = self._client.get_run(run_id).data.metrics
        files = [file.path for file in self._client.list_artifacts(run_id)]
        self.set_tags(run_id, {NOTE_TAG: run_note(plan.note, run_id, metrics, files)})

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        from mlflow.entities import RunTag

        self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, self.location, tags=EXPERIMENT_TAGS))
            except MlflowException as error:
                # another study of the same dataset was faster
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _describe(self, run_id: str, plan: RunPlan) -> None:
        from mlflow.entities import Param

        self.write_note(run_id, plan)
        flat = [Param(key, value) for key, value in _flatten(plan.identity)]
        for start in range(0, len(flat), PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=flat[start : start + PARAMS_PER_BATCH])
        self._client.log_text(run_id, yaml.safe_dump(dict(plan.identity), sort_keys=False), "config.yaml")
        self._client.log_dict(run_id, environment(), "environment.json")


def _flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)
