"""Sends one record after another to MLflow; sending anything twice changes nothing.

A metric carries its own time, step and value, and MLflow keeps such a metric once; runs are found again by the id of
their record. What was sent is noted beside the record only after MLflow has it, so a killed sender loses nothing.
"""

import os
import socket
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.plans import RunPlan
from lungpipe.services.tracking.records import (
    Begin,
    is_locked,
    pending_records,
    read_begin,
    read_lines,
    record_id,
)
from lungpipe.services.tracking.registry import register_bundle
from lungpipe.services.tracking.runs import Runs
from lungpipe.tables.atomic import write_json
from lungpipe.tables.json_input import build_checked, parse_json

METRICS_PER_BATCH = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of a record a tracking store has: the run, and the bytes of the record that were sent."""

    uri: str
    run_id: str
    offset: int

    @staticmethod
    def path(record: Path) -> Path:
        """Return where this is noted for a record."""
        return record.with_suffix(".sent")


class RecordSender:
    """Sends records to one tracking store."""

    def __init__(self, client: Any, uri: str, location: str | None, since: int) -> None:
        """Send to `client`, the client of the store at `uri`.

        Args:
            client: an `MlflowClient`.
            uri: names the store in the notes of what was sent.
            location: folder for the artifacts of new experiments, see `Runs`.
            since: when this run of the workflow began, in milliseconds since 1970; earlier records are over.
        """
        self._client, self.uri, self._runs, self._since = client, uri, Runs(client, location), since
        self.lost: list[str] = []
        """What a record named and no file was there for, one message each."""

    def parents(self) -> dict[str, tuple[str, str]]:
        """Return experiment and id of every parent run to which something was sent, by the plan's digest."""
        return self._runs.parents()

    def send(self, path: Path, *, is_last_pass: bool = False) -> None:
        """Send what a record holds beyond what was sent; a record that is over is removed.

        A run whose process died without ending the record ends KILLED at the time of the record's last line.

        Raises:
            TrackingError: a damaged record, or no plan of its parent run.
            mlflow.exceptions.MlflowException: the store does not take it; the record stays as it is.
        """
        begin = read_begin(path)
        # asked before the lines are read: once the process is dead, no line is added
        is_dead = self._is_dead(path, begin, is_last_pass)
        sent = self._read_sent(path)
        if sent and sent.offset == path.stat().st_size and not is_dead:
            return
        plan = RunPlan.read(path.parent.parent / "plans", begin.plan)
        if sent is None:
            sent = self._note(path, self._begin_run(path, plan, begin), 0)
        lines, offset = read_lines(path, sent.offset)
        parent_id = self._runs.parent(plan)[1]
        self._log(lines, sent.run_id, parent_id, path.parent)
        if any(line.get("on_parent") for line in lines):
            self._runs.write_note(parent_id, plan)
        end = next((line for line in lines if line.get("kind") == "end"), None)
        if end is None and is_dead:
            times = [int(line["time"]) for line in read_lines(path, 0)[0] if "time" in line]
            end = {"status": "KILLED", "time": max(times)}
        if end is None:
            self._note(path, sent.run_id, offset)
            return
        self._client.set_terminated(sent.run_id, end["status"], end["time"])
        path.unlink()
        Sent.path(path).unlink(missing_ok=True)
        if begin.stage:
            self._runs.supersede(plan, begin.key, self._unsent(path.parent))

    def forget(self, path: Path) -> bool:
        """Look what became of the run of a record that the store refused; return whether sending it again may help.

        A run that somebody moved to MLflow's bin takes nothing any more: its record is removed. Of a run that is
        gone with its store, the record is sent anew from its first line.
        """
        from mlflow.exceptions import MlflowException

        sent = self._read_sent(path)
        if sent is None:
            return False
        try:
            stage = self._client.get_run(sent.run_id).info.lifecycle_stage
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            Sent.path(path).unlink()
            self._runs = Runs(self._client, self._runs.location)
            return True
        if stage == "deleted":
            path.unlink()
            Sent.path(path).unlink()
            return True
        return False

    def _begin_run(self, path: Path, plan: RunPlan, begin: Begin) -> str:
        if begin.stage is None:
            return self._runs.reopen(plan, begin)
        run_id = self._runs.nested(plan, begin)
        self._runs.supersede(plan, begin.key, self._unsent(path.parent))
        return run_id

    def _log(self, lines: Sequence[dict[str, Any]], run_id: str, parent_id: str, outbox: Path) -> None:
        from mlflow.entities import Metric

        metrics: defaultdict[str, list[Any]] = defaultdict(list)
        for line in lines:
            target = parent_id if line.get("on_parent") else run_id
            if line.get("kind") == "metrics":
                values = line["values"].items()
                metrics[target].extend(Metric(key, value, line["time"], line["step"]) for key, value in values)
            elif line.get("kind") == "tags":
                self._runs.set_tags(target, line["values"])
            elif line.get("kind") == "artifact":
                self._log_artifact(target, Path(os.path.normpath(outbox / line["path"])))
            elif line.get("kind") == "model":
                register_bundle(self._client, run_id, line, outbox)
        for target, values in metrics.items():
            for start in range(0, len(values), METRICS_PER_BATCH):
                self._client.log_batch(target, metrics=values[start : start + METRICS_PER_BATCH])

    def _log_artifact(self, run_id: str, path: Path) -> None:
        if path.is_file():
            self._client.log_artifact(run_id, str(path))
        else:
            self.lost.append(f"{path}: expected a file to log, found none")

    def _is_dead(self, path: Path, begin: Begin, is_last_pass: bool) -> bool:
        if is_locked(path):
            return False
        if begin.is_locked and begin.host == socket.gethostname():
            return True
        # locks do not reach from every machine to every other: then a run is over when the workflow is
        return is_last_pass or begin.time < self._since

    def _unsent(self, outbox: Path) -> list[str]:
        return [record_id(path) for path in pending_records(outbox)]

    def _read_sent(self, record: Path) -> Sent | None:
        path = Sent.path(record)
        if not path.is_file():
            return None
        try:
            sent = build_checked(Sent, parse_json(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise TrackingError(f"{path}: expected what was sent of a record, found {error}") from None
        # another store has nothing of this record yet
        return sent if sent.uri == self.uri else None

    def _note(self, record: Path, run_id: str, offset: int) -> Sent:
        sent = Sent(self.uri, run_id, offset)
        write_json(Sent.path(record), asdict(sent))
        return sent
