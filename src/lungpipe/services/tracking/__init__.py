"""MLflow tracking: one parent run per study, nested runs per stage; the only package that imports mlflow."""

from lungpipe.services.tracking.reference import RunReference
from lungpipe.services.tracking.session import close_runs, open_runs
from lungpipe.services.tracking.stage import NullStage, Stage, stage_run
from lungpipe.services.tracking.store import TrackingError
from lungpipe.services.tracking.study import finish_study, open_dataset_run, open_study_run

__all__ = [
    "NullStage",
    "RunReference",
    "Stage",
    "TrackingError",
    "close_runs",
    "finish_study",
    "open_dataset_run",
    "open_runs",
    "open_study_run",
    "stage_run",
]
