"""The parent runs around one run of the workflow: opened before its first job, closed after its last."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from lungpipe.services.tracking.reference import RunReference
from lungpipe.services.tracking.store import connect_existing
from lungpipe.services.tracking.study import open_dataset_run, open_study_run
from lungpipe.settings import StudySettings

REFERENCE = Path("tracking") / "run.json"


def open_runs(settings: StudySettings) -> None:
    """Find or create the runs of the dataset and of the study, and write where the jobs read of them.

    No rule of the workflow does this: a job that opens the run of every changed study would have to come before all
    others without rerunning them, and Snakemake then overlooks what the change itself reruns.
    """
    open_dataset_run(settings, settings.dataset_dir / REFERENCE)
    targets = [settings.dataset_dir / "targets" / f"{name}.parquet" for name in ("series", "nodules")]
    data_paths = targets if all(path.is_file() for path in targets) else []
    open_study_run(settings, settings.recipe_dir / REFERENCE, data_paths)


def close_runs(settings: StudySettings, status: Literal["FINISHED", "FAILED"]) -> None:
    """End both runs; their metrics and nested runs stay as the jobs left them."""
    for reference in _references(settings):
        if reference.is_enabled:
            connect_existing(str(reference.uri)).set_terminated(reference.run_id, status)


def _references(settings: StudySettings) -> Iterator[RunReference]:
    for folder in (settings.dataset_dir, settings.recipe_dir):
        yield RunReference.read(folder / REFERENCE)
