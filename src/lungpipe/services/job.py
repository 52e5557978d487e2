"""What every script of the workflow needs around its one call: a log file, progress, tracking, its share of cores."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lungpipe.services.tracking import NullStage, RunReference, Stage, stage_run


class Job:
    """One running job of the workflow: says lines, counts progress and logs metrics."""

    def __init__(self, name: str, stage: Stage, logger: logging.Logger, progress: Progress) -> None:
        """Gather what `open_job` opened."""
        self.name, self.stage, self._logger, self._progress = name, stage, logger, progress
        self._bar = progress.add_task(name, total=None, visible=False)

    def say(self, message: str) -> None:
        """Write one plain line to the job's log."""
        self._logger.info(message)

    def expect(self, total: int) -> None:
        """Show a bar of `total` parts in a terminal."""
        self._progress.update(self._bar, total=total, visible=True)

    def advance(self, message: str, *, completed: int | None = None) -> None:
        """Count one more part as done, or `completed` of them, and say so."""
        self.say(message)
        if completed is None:
            self._progress.advance(self._bar)
        else:
            self._progress.update(self._bar, completed=completed)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics of a training step to the tracking store and the log file: what loops receive."""
        self.stage.log(step, metrics)
        values = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.advance(f"step {step}: {values}", completed=step)


@contextmanager
def open_job(snakemake: Any, *, fold: int | None = None, subset: int | None = None) -> Iterator[Job]:
    """Open the log file, progress and nested run of the rule that Snakemake runs; an error ends up in the log too."""
    logger = _file_logger(snakemake.rule, Path(snakemake.log[0]))
    place = "".join(f" {name} {n}" for name, n in (("fold", fold), ("subset", subset)) if n is not None)
    try:
        reference = RunReference.read(Path(snakemake.params.run)) if "run" in snakemake.params.keys() else None  # noqa: SIM118
        with _progress() as progress:
            if reference is None:
                yield Job(snakemake.rule + place, NullStage(), logger, progress)
            else:
                with stage_run(reference, snakemake.rule, fold=fold, subset=subset) as stage:
                    yield Job(snakemake.rule + place, stage, logger, progress)
    except BaseException:
        logger.exception("%s%s failed", snakemake.rule, place)
        raise
    finally:
        for handler in tuple(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


GRANTED_CORES = "LUNGPIPE_GRANTED_CORES"
"""Names the variable by which jobs hear of the cores that the user granted the whole workflow."""


def grant_cores(number: int | None) -> None:
    """Tell the jobs of this workflow how many cores it was granted; see `share_of_cores`."""
    os.environ[GRANTED_CORES] = str(number or 1)


def share_of_cores(reserved: int) -> int:
    """Return how many real cores a job that reserved `reserved` of the granted cores should use.

    `snakemake --cores 8` on a machine with two cores runs several jobs at once; were each to start as many threads
    as it reserved, they would wait for one another.
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


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
