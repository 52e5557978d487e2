"""Tracking of one run of the workflow: the records of its parent runs, and the sender process beside its jobs."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lungpipe.services.provenance import file_digest, git_commit
from lungpipe.services.tracking.current import CURRENT, CurrentRun
from lungpipe.services.tracking.links import find_runs
from lungpipe.services.tracking.plans import RunPlan, plan_dataset, plan_study
from lungpipe.services.tracking.records import (
    COMMIT_TAG,
    DATA_TAG,
    Begin,
    Record,
    Status,
    now_ms,
    pending_records,
)
from lungpipe.services.tracking.store import artifact_location, check_uri, tracking_uri
from lungpipe.settings import StudySettings
from lungpipe.settings.difference import find_studies
from lungpipe.tables.errors import InputError

LOG = "sender.log"
SECONDS_FOR_SENDING = 120.0

_logger = logging.getLogger(__name__)


class TrackingSession:
    """Opens and closes the runs of dataset and study around one run of the workflow; imports no mlflow.

    No rule of the workflow does this: a job that opens the run of every changed study would have to come before all
    others without rerunning them, and Snakemake then overlooks what the change itself reruns.
    """

    def __init__(self, settings: StudySettings, say: Callable[[str], None] = _logger.warning) -> None:
        """Remember the study; nothing is opened. `say` is called with warnings."""
        self._settings, self._say = settings, say
        self._records: list[Record] = []
        self._sender: subprocess.Popen[bytes] | None = None
        self.was_opened = False

    @property
    def folders(self) -> tuple[Path, Path]:
        """The tracking folders of the dataset and of the study."""
        return self._settings.dataset_dir / "tracking", self._settings.study_dir / "tracking"

    def open(self) -> None:
        """Write the file from which jobs read their parent runs, begin these runs' records, and start the sender.

        Raises:
            TrackingError: the store cannot be what the settings or the environment name; nothing was written.
        """
        self.was_opened = True
        is_enabled = self._settings.tracking.is_enabled
        uri = tracking_uri(self._settings) if is_enabled else ""
        if is_enabled:
            check_uri(uri)
        commit = git_commit()
        for folder, plan, tags in self._plans():
            CurrentRun(plan.digest if is_enabled else None, commit).write(folder / CURRENT)
            if is_enabled:
                plan.write(folder / "plans")
                begin = Begin(plan.digest, tags={COMMIT_TAG: commit, **tags})
                self._records.append(Record(folder / "outbox", begin))
        if is_enabled:
            self._sender = self._start(uri)

    def close(self, status: Status) -> str | None:
        """End both runs and wait until the sender has sent everything; return a message if that failed."""
        for record in self._records:
            record.end(status)
        self._records.clear()
        return self._wait()

    def link(self) -> str | None:
        """Return where the study's run is shown, or why that is unknown, in one line; None if nothing was sent."""
        try:
            runs = find_runs(self.folders[1]) if self._settings.tracking.is_enabled else None
        except InputError as error:
            return f"run in MLflow: {error}"
        if runs is None:
            return None
        before = f"{runs['serve']}, then " if runs["serve"] else ""
        return f"run in MLflow: {before}{runs['study']}"

    def send_left(self) -> str | None:
        """Send the records that an earlier run of the workflow left, if this run had no jobs and was not opened.

        Returns a message if that failed.
        """
        is_left = any(pending_records(folder / "outbox") for folder in self.folders)
        if self.was_opened or not is_left or not self._settings.tracking.is_enabled:
            return None
        self._sender = self._start(tracking_uri(self._settings))
        return self._wait()

    def _plans(self) -> Iterator[tuple[Path, RunPlan, dict[str, str]]]:
        dataset, study = self.folders
        targets = [dataset.parent / "targets" / f"{name}.parquet" for name in ("series", "nodules")]
        digest = file_digest(targets) if all(path.is_file() for path in targets) else "unknown"
        others = find_studies(self._settings.dataset_dir, aside=self._settings.study_name, say=self._say)
        yield dataset, plan_dataset(self._settings), {DATA_TAG: "unknown"}
        yield study, plan_study(self._settings, others), {DATA_TAG: digest}

    def _start(self, uri: str) -> "subprocess.Popen[bytes]":
        location = artifact_location(uri, self._settings) or ""
        since = str(min((record.begin.time for record in self._records), default=now_ms()))
        command = [sys.executable, "-m", "lungpipe.services.tracking.sender", uri, location, since]
        with self._log.open("wb") as log:
            # a session of its own: an interrupt from the keyboard ends the jobs, and the sender then sends the rest
            return subprocess.Popen(
                [*command, *map(str, self.folders)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def _log(self) -> Path:
        return self.folders[1] / LOG

    def _wait(self) -> str | None:
        if self._sender is None:
            return None
        sender, self._sender = self._sender, None
        if sender.stdin:
            sender.stdin.close()
        try:
            code = sender.wait(SECONDS_FOR_SENDING)
        except subprocess.TimeoutExpired:
            return f"tracking: process {sender.pid} is still sending, see {self._log}; the next run sends what is left"
        if code == 0:
            return None
        reason = (self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [f"code {code}"])[-1]
        return f"tracking: not all was sent ({reason}); see {self._log}. The next run sends what is left"
