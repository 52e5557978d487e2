"""Read the runs of studies from a tracking store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.store import SQLITE, connect

_STUDIES = "params.recipe LIKE '%'"
"""Only the run of a study has a recipe among its params."""


@dataclass(frozen=True, slots=True)
class StudyRun:
    """The run of a study: its name and id, the name of its experiment, its settings by key, and its figures."""

    name: str
    run_id: str
    experiment: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def find_study_run(uri: str, name: str) -> StudyRun:
    """Return the run of a study by its id or its name; of several runs of that name the latest.

    Raises:
        TrackingError: no such store, or no such run; the message has the names of the store's studies.
    """
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
        raise TrackingError(f"{uri}: expected a tracking store, found no such file")
    client = connect(uri)
    experiments = {each.experiment_id: each.name for each in client.search_experiments()}
    runs = client.search_runs(list(experiments), _STUDIES, order_by=["attributes.start_time DESC"])
    for run in runs:
        if name in (run.info.run_id, run.info.run_name):
            return _study_run(run, experiments[run.info.experiment_id])
    known = ", ".join(dict.fromkeys(str(run.info.run_name) for run in runs)) or "none"
    raise TrackingError(f"{uri}: expected the name or id of a study's run, found {name!r}; studies there: {known}")


def _study_run(run: Any, experiment: str) -> StudyRun:
    return StudyRun(
        str(run.info.run_name), str(run.info.run_id), experiment, dict(run.data.params), dict(run.data.metrics)
    )
