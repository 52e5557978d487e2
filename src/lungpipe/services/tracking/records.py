"""Records: the MLflow calls of one run as lines of JSON, which are kept if the process is killed.

A record is one file in the folder `outbox`. Its first line begins the run, every further line holds metrics, tags or
the path of a file, and the last line ends the run. The sender (see `sender`) sends records and removes them.
"""

import fcntl
import json
import math
import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.identifiers import refuse_identifiers
from lungpipe.tables.atomic import naming
from lungpipe.tables.json_input import build_checked, parse_json

Status = Literal["FINISHED", "FAILED", "KILLED"]
COMMIT_TAG = "mlflow.source.git.commit"
DATA_TAG = "lungpipe.data_sha256"
"""Tags of a run: the commit of this package, and the digest of the tables that identify the data."""
ENDING = ".jsonl"
SECONDS_PER_SYNC = 5.0
_KEYS: dict[str, dict[str, type]] = {
    "metrics": {"time": int, "step": int, "values": dict},
    "tags": {"values": dict},
    "artifact": {"path": str},
    "model": {"name": str, "bundle": str, "code": str, "example": str},
    "end": {"status": str, "time": int},
}
"""The keys that each kind of line needs, and the types of their values."""
_METRIC_NAME = re.compile(r"[\w./: -]{1,250}")


@dataclass(frozen=True, slots=True)
class Begin:
    """The first line of a record.

    `stage` and `places` name a nested run (`train_detector`, `{"fold": 3}`); a record of the parent run itself has no
    stage. `plan` is the digest of the parent run. `time` is in milliseconds since 1970. `tags` are set on the run.
    """

    plan: str
    stage: str | None = None
    places: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    time: int = field(default_factory=lambda: now_ms())
    host: str = field(default_factory=socket.gethostname)
    is_locked: bool = True

    @property
    def key(self) -> str:
        """The name of the run: `train_detector/fold3`."""
        return "/".join([self.stage or "study", *(f"{name}{number}" for name, number in self.places.items())])


class Record:
    """A record that this process writes; used as a context manager, the run ends FINISHED, FAILED, or KILLED."""

    def __init__(self, outbox: Path, begin: Begin) -> None:
        """Create the file with its first line.

        The process holds a lock of the file as long as it lives, by which the sender sees that the run is alive. A
        process that opens and closes its own record for reading loses the lock.
        """
        self.begin = begin
        outbox.mkdir(parents=True, exist_ok=True)
        self._outbox = outbox
        name = f"{begin.time:013d}.{begin.key.replace('/', '-')}.{begin.id}{ENDING}"
        draft = outbox / f".{name}"
        self.path = outbox / name
        self._file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self._synced_at = time.monotonic()
        self._write({**asdict(begin), "is_locked": _lock(self._file)})
        # the sender sees the file from here on: locked, and with its first line
        os.rename(draft, self.path)

    def log(self, step: int, metrics: Mapping[str, float], *, on_parent: bool = False) -> None:
        """Write metrics of a step, on this run or on its parent run; raises TrackingError for a name MLflow refuses."""
        for name in metrics:
            if not _METRIC_NAME.fullmatch(name):
                expected = "letters, digits and _ - . / : or blanks"
                raise TrackingError(f"metric: expected a name of {expected}, found {name!r}")
        values = {name: float(value) for name, value in metrics.items()}
        self._write({"kind": "metrics", "time": now_ms(), "step": step, "values": values, "on_parent": on_parent})

    def log_artifact(self, path: Path, *, on_parent: bool = False) -> None:
        """Write the path of a file of which the sender logs a copy.

        Raises:
            TrackingError: a table (CSV, parquet) with identifiers of patients, or no such file.
        """
        if not path.is_file():
            raise TrackingError(f"{path}: expected a file to log, found none")
        refuse_identifiers(path)
        # relative to the record: a results folder may be moved as a whole before the next run sends the record
        relative = os.path.relpath(path.absolute(), self._outbox.absolute())
        self._write({"kind": "artifact", "path": Path(relative).as_posix(), "on_parent": on_parent})

    def register_model(self, name: str, files: Mapping[Literal["bundle", "code", "example"], Path]) -> None:
        """Write the files of a model that the sender registers under a name (see `registry.register_bundle`).

        Raises:
            TrackingError: a file that is missing.
        """
        for path in files.values():
            if not path.is_file():
                raise TrackingError(f"{path}: expected a file to log, found none")
        line: dict[str, Any] = {"kind": "model", "name": name}
        for key, path in files.items():
            line[key] = os.path.relpath(path.absolute(), self._outbox.absolute())
        self._write(line)

    def log_tags(self, tags: Mapping[str, str], *, on_parent: bool = False) -> None:
        """Write tags."""
        self._write({"kind": "tags", "values": dict(tags), "on_parent": on_parent})

    def end(self, status: Status) -> None:
        """Write the last line, once the file is on the disk; nothing can be written after it."""
        self._write({"kind": "end", "status": status, "time": now_ms()})
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end("FINISHED" if error is None else "FAILED" if isinstance(error, Exception) else "KILLED")

    def _write(self, line: Mapping[str, Any]) -> None:
        content = memoryview(json.dumps(line, default=str).encode() + b"\n")
        # the descriptor has no name: the error gets that of the record
        with naming(self.path, self.path):
            while content:
                content = content[os.write(self._file, content) :]
        if time.monotonic() - self._synced_at > SECONDS_PER_SYNC:
            # on a network file system other machines see only synced data
            os.fsync(self._file)
            self._synced_at = time.monotonic()


class NoRecord:
    """The record of a run that is not tracked; all methods do nothing."""

    def log(self, step: int, metrics: Mapping[str, float], *, on_parent: bool = False) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path, *, on_parent: bool = False) -> None:
        """Do nothing."""

    def register_model(self, name: str, files: Mapping[Literal["bundle", "code", "example"], Path]) -> None:
        """Do nothing."""

    def log_tags(self, tags: Mapping[str, str], *, on_parent: bool = False) -> None:
        """Do nothing."""

    def __enter__(self) -> "NoRecord":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def now_ms() -> int:
    """Return the time as MLflow counts it: milliseconds since 1970."""
    return math.floor(time.time() * 1000)


def _lock(file: int) -> bool:
    # a lock of the process, not of the file description: children that a killed job leaves behind do not hold it
    try:
        fcntl.lockf(file, fcntl.LOCK_EX)
    except OSError:
        # a file system without locks: the sender then takes the run for alive until the workflow ends
        return False
    return True


def pending_records(outbox: Path) -> list[Path]:
    """Return the records in a folder that are not sent and removed yet, in the order in which they began."""
    return sorted(path for path in outbox.glob(f"*{ENDING}") if not path.name.startswith("."))


def record_id(path: Path) -> str:
    """Return the id of the run whose record is at a path."""
    return path.name.split(".")[-2]


def is_locked(path: Path) -> bool:
    """Return whether another process holds the lock of a record."""
    with path.open("rb") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def read_begin(path: Path) -> Begin:
    """Return the first line of a record; raises TrackingError naming the file where the line is another."""
    with path.open("rb") as stream:
        line = stream.readline()
    try:
        return build_checked(Begin, parse_json(line))
    except (TypeError, ValueError) as error:
        raise TrackingError(f"{path}, line 1: expected the beginning of a run, found {error}") from None


def read_lines(path: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Return the complete lines of a record from a byte offset on, and the offset behind them.

    A last line without its end is left out: the process that writes the record has not finished it, or died.

    Raises:
        TrackingError: a complete line that is no line of a record; the message names the file and the offset.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        content = stream.read()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        lines = [parse_json(line) for line in whole.splitlines()]
    except ValueError as error:
        raise TrackingError(f"{path}, from byte {offset}: expected lines of JSON, found {error}") from None
    for line in lines:
        if not _is_line(line):
            raise TrackingError(f"{path}, from byte {offset}: expected lines of a record, found {str(line)[:80]}")
    return lines, offset + len(whole)


def _is_line(line: Any) -> bool:
    if not isinstance(line, dict):
        return False
    # the first line has no kind
    keys = _KEYS.get(line["kind"], {}) if isinstance(line.get("kind"), str) else {}
    values = line["values"].values() if line.get("kind") == "metrics" and isinstance(line.get("values"), dict) else ()
    is_complete = all(isinstance(line.get(key), kind) for key, kind in keys.items())
    is_numeric = all(isinstance(value, int | float) for value in values)
    return is_complete and is_numeric and (line.get("kind") != "end" or line["status"] in get_args(Status))
