"""The environment of a workflow script: log file, progress, tracking, and its share of cores."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungpipe.services.allocator import keep_freed_memory
from lungpipe.services.claims import end_with_run
from lungpipe.services.provenance import environment, file_digest
from lungpipe.services.resume_files import remove_damaged
from lungpipe.services.tracking.current import CurrentRun
from lungpipe.services.tracking.records import COMMIT_TAG, DATA_TAG, Begin, NoRecord, Record
from lungpipe.tables.atomic import write_json
from lungpipe.tables.nesting import naming_deep_json
from lungpipe.time_left import SPEED_PERIOD_S, time_left

if TYPE_CHECKING:
    from rich.progress import Progress

RAN_TAG = "lungpipe.computed_with"
DIGITS = 4
"""Decimals of the figures of a parent run."""
RAN_SUFFIX = ".ran.json"
"""Ending of the file beside a job's log that says what the job computed with."""


class Job:
    """One running job of the workflow: writes log lines, progress, and records for MLflow."""

    def __init__(self, name: str, record: Record | NoRecord, logger: logging.Logger) -> None:
        """Store the name, record and logger that `open_job` opened."""
        self.name, self._record, self._logger = name, record, logger
        self._progress: Progress | None = None
        self._total: int | None = None
        self._first: tuple[float, int] | None = None
        self.commit = "unknown"
        """The commit of this package, as `git_commit` returns it."""
        self.log_path: Path | None = None

    def say(self, message: str) -> None:
        """Write one plain line to the job's log."""
        self._logger.info(message)

    def ran(self, facts: Mapping[str, str]) -> None:
        """Note what the job really computes with (device, precision, threads ...) and the versions of its libraries.

        The note goes to the log, to tags of the job's run in MLflow, and to a file `<log>.ran.json` for the report.
        """
        self.say("computes with " + ", ".join(f"{name}: {value}" for name, value in facts.items()))
        self._record.log_tags({f"lungpipe.{name}": value for name, value in facts.items()})
        self._record.log_tags({RAN_TAG: "; ".join(facts.values())}, on_parent=True)
        if self.log_path is not None:
            write_json(self.log_path.with_suffix(RAN_SUFFIX), {**facts, "versions": environment()})

    def expect(self, total: int) -> None:
        """Set the number of parts of the job: of the bar in a terminal, and for the time left in the log."""
        self._total = total
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], total=total, visible=True)

    def advance(self, message: str, *, completed: int | None = None) -> None:
        """Count one more part, or `completed` parts in all, as done, and log `message`, with the time left if known."""
        self.say(message if completed is None else f"{message}{self._time_left(completed)}")
        if self._progress is None:
            return
        if completed is None:
            self._progress.advance(self._progress.task_ids[0])
        else:
            self._progress.update(self._progress.task_ids[0], completed=completed)

    def _time_left(self, completed: int) -> str:
        """Return the end of a line; the first one has none: a training that goes on did its first steps earlier."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, completed
        began, num_before = self._first
        if self._total is None or not num_before < completed <= self._total:
            return ""
        return time_left(now - began, completed - num_before, self._total - num_before)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics of a training step to the tracking store and the log file; the callback of training loops."""
        self._record.log(step, metrics)
        values = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.advance(f"step {step}: {values}", completed=step)

    def log_artifact(self, path: Path, *, on_parent: bool = False) -> None:
        """Log a copy of a file on the job's run, or on the run of study or dataset.

        Raises:
            TrackingError: a CSV or parquet table with identifiers of patients.
        """
        self._record.log_artifact(path, on_parent=on_parent)

    def register_model(self, name: str, bundle: Path, code: Path, example: Path) -> None:
        """Register a bundle in MLflow's model registry; `code` is what MLflow runs, `example` the JSON of a request."""
        self._record.register_model(name, {"bundle": bundle, "code": code, "example": example})

    def log_result(
        self, metrics: Mapping[str, float], artifacts: Iterable[Path] = (), data_paths: Iterable[Path] = ()
    ) -> None:
        """Log the figures by which studies are compared (CPM, AUC ...) on the parent run of study or dataset.

        Args:
            metrics: figures by name; logged on this job's own run, too. The parent's are rounded to be read in a list.
            artifacts: files of which the parent run gets a copy.
            data_paths: files whose contents identify the data; their digest becomes a tag of the parent run.
        """
        self.log(0, metrics)
        rounded = {name: round(value, DIGITS) for name, value in metrics.items()}
        self._record.log(0, rounded, on_parent=True)
        for path in artifacts:
            self._record.log_artifact(path, on_parent=True)
        if paths := tuple(data_paths):
            self._record.log_tags({DATA_TAG: file_digest(paths)}, on_parent=True)


@contextmanager
def open_job(snakemake: Any, *, fold: int | None = None, subset: int | None = None) -> Iterator[Job]:
    """Open the log file, progress and record of the rule that Snakemake runs; an error is written to the log too.

    The job ends when the process of the workflow is killed (see `end_with_run`). Damaged resume files in the folders of
    its outputs are removed.
    """
    end_with_run()
    if "torch" in sys.modules:  # a job with a network
        keep_freed_memory()
    logger = _file_logger(snakemake.rule, Path(snakemake.log[0]))
    places = {name: number for name, number in (("fold", fold), ("subset", subset)) if number is not None}
    name = " ".join([snakemake.rule, *(f"{place} {number}" for place, number in places.items())])
    try:
        path = Path(snakemake.params.run) if "run" in snakemake.params.keys() else None  # noqa: SIM118
        current = CurrentRun.read(path) if path else CurrentRun(None, "unknown")
        with (
            naming_deep_json(Path(file) for kind in ("input", "output") for file in getattr(snakemake, kind, ())),
            _record(current, path, snakemake.rule, places) as record,
            _progress(name) as progress,
        ):
            job = Job(name, record, logger)
            job.commit, job._progress, job.log_path = current.commit, progress, Path(snakemake.log[0])
            remove_damaged({Path(file).parent for file in getattr(snakemake, "output", ())}, job.say)
            yield job
    except BaseException:
        logger.exception("%s failed", name)
        raise
    finally:
        for handler in tuple(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def _record(current: CurrentRun, path: Path | None, rule: str, places: dict[str, int]) -> Record | NoRecord:
    if path is None or current.plan is None:
        return NoRecord()
    tags = {COMMIT_TAG: current.commit}
    return Record(path.parent / "outbox", Begin(current.plan, rule, places, tags))


GRANTED_CORES = "LUNGPIPE_GRANTED_CORES"
"""Environment variable with the number of cores that the user granted the whole workflow."""


def grant_cores(number: int | None) -> None:
    """Set the number of cores that the workflow was granted, for its jobs; see `share_of_cores`."""
    os.environ[GRANTED_CORES] = str(number or 1)


def threads_of_folds(num_folds: int, cores: int, most: int) -> tuple[int, ...]:
    """Return the cores that a job of each fold reserves, at most `most`; the last folds have more where they differ.

    Folds side by side with one core each take less time than one after the other with all cores. If there are fewer
    cores than folds, the folds run in rounds, and those of the last, incomplete round share all cores.
    """
    if cores >= num_folds:
        even, more = divmod(cores, num_folds)
        threads = [even] * (num_folds - more) + [even + 1] * more
    else:
        last = num_folds % cores
        threads = [1] * (num_folds - last) + [cores // max(last, 1)] * last
    return tuple(min(most, number) for number in threads)


def share_of_cores(reserved: int) -> int:
    """Return how many real cores a job that reserved `reserved` of the granted cores should use.

    `snakemake --cores 8` on a machine with two cores runs several jobs at once. With as many threads as reserved,
    the jobs would wait for each other.
    """
    real = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = int(os.environ.get(GRANTED_CORES, str(real)))
    return max(1, min(reserved, real, real * reserved // max(granted, real)))


def _file_logger(name: str, path: Path) -> logging.Logger:
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger(f"lungpipe.{name}")
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


@contextmanager
def _progress(name: str) -> "Iterator[Progress | None]":
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console, period = Console(stderr=True), SPEED_PERIOD_S
    with Progress(*columns, console=console, transient=True, speed_estimate_period=period) as progress:
        progress.add_task(name, total=None, visible=False)
        yield progress
