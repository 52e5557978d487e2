"""Claims: one locked file for each living run of the workflow, by which a killed run and a second run are told apart.

The lock of a file ends with its process, however the process ends. Snakemake's own locks are files that a killed run
leaves behind.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lungpipe.tables.json_input import build_checked, parse_json

SNAKEMAKE_FOLDER = Path(".snakemake")
CLAIMED = "LUNGPIPE_CLAIM"
"""Environment variable with the path of the claim of the run that a job belongs to."""
SECONDS_BETWEEN_LOOKS = 2.0


class ClaimError(RuntimeError):
    """A study that another living process runs; the message names the process."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """The process that runs a study: what a claim's file holds."""

    study: str
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    began: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M:%S"))
    command: str = field(default_factory=lambda: " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]))

    def describe(self) -> str:
        """Return the process for messages."""
        return f"process {self.pid} on {self.host}, which runs it since {self.began} ({self.command})"


class Claim:
    """The claim of this process: its locked file, which must stay open; `release` removes the file."""

    def __init__(self, path: Path, stream: Any) -> None:
        """Remember the file."""
        self.path, self._stream = path, stream

    def release(self) -> None:
        """Remove the file and its lock; a second call does nothing."""
        self.path.unlink(missing_ok=True)
        self._stream.close()


def claim_study(study: Path, folder: Path = SNAKEMAKE_FOLDER) -> Claim:
    """Claim a study's results for this process; jobs find the claim by the environment variable `CLAIMED`.

    Args:
        study: the folder of the study's results.
        folder: Snakemake's folder of records.

    Raises:
        ClaimError: another living process runs this study.
    """
    with _claims(folder) as (claims, living):
        own = Claimant(str(study.absolute()))
        for other in living:
            if other.study == own.study:
                found = f"{other.describe()}; wait for its end, or stop it"
                raise ClaimError(f"{study}: expected no other run of this study, found {found}")
        path = claims / f"{own.pid}-{secrets.token_hex(4)}.json"
        stream = path.open("w", encoding="utf-8")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError:
            # a file system without locks: nobody could tell whether this run lives
            path.unlink()
            return Claim(path, stream)
        stream.write(json.dumps(asdict(own)))
        stream.flush()
    os.environ[CLAIMED] = str(path.absolute())
    return Claim(path, stream)


def clear_locks(folder: Path = SNAKEMAKE_FOLDER) -> list[Claimant]:
    """Remove Snakemake's locks if only killed runs can have left them; return the runs that live or may live.

    Locks stay while another run lives in this folder, and after a run on another machine or on a file system without
    locks, which may live.
    """
    if not folder.is_dir():
        return []
    with _claims(folder) as (_, living):
        if not living:
            for path in (folder / "locks").glob("*.lock"):
                path.unlink(missing_ok=True)
        return living


@contextmanager
def _claims(folder: Path) -> Iterator[tuple[Path, list[Claimant]]]:
    """Yield the folder of claims, which no other process changes meanwhile, and the claimants that live or may live."""
    claims = folder / "lungpipe"
    claims.mkdir(parents=True, exist_ok=True)
    with (claims / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError:
            # a file system without locks: any run may live
            yield claims, [Claimant("", pid=0, host="unknown", began="unknown", command="")]
            return
        yield claims, list(_living(claims, folder / "locks"))


def _living(claims: Path, locks: Path) -> Iterator[Claimant]:
    for path in sorted(claims.glob("*.json")):
        if not _is_free(path):
            yield _read(path)
        elif (found := _read(path)).host == socket.gethostname() or not any(locks.glob("*")):
            path.unlink(missing_ok=True)
        else:
            # locks may not reach from machine to machine: this run may live
            yield replace(found, study="")


def _read(path: Path) -> Claimant:
    try:
        return build_checked(Claimant, parse_json(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError):
        # its process was killed before the claim was written
        return Claimant("")


def _is_free(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        # locked; or a file system without locks, on which the run may live
        return False
    return True


def end_with_run() -> None:
    """End this job's process within seconds after the workflow's process on this machine was killed.

    A job that goes on alone would compute what the next run computes again, beside that run.
    """
    path = Path(os.environ.get(CLAIMED, ""))
    if not path.is_file() or _is_free(path) or _read(path).host != socket.gethostname():
        return
    threading.Thread(target=_watch, args=(path,), name="end-with-run", daemon=True).start()


def _watch(path: Path) -> None:
    while not _is_free(path):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
