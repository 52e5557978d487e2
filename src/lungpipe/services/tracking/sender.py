"""The sender: one process beside the workflow that sends the records of its folders, live and once more at the end.

`python -m lungpipe.services.tracking.sender URI LOCATION SINCE FOLDER...`, with a pipe as standard input. `SINCE` is
when the workflow began, in milliseconds since 1970. The pipe closes when the workflow ends, killed or not; the sender
then sends what is left and ends, too.
"""

import fcntl
import logging
import os
import select
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lungpipe.services.tracking.current import CURRENT, EXPERIMENT, CurrentRun
from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.records import ENDING, is_locked, pending_records
from lungpipe.services.tracking.sending import RecordSender
from lungpipe.services.tracking.store import connect, ensure_store, require_store
from lungpipe.tables.atomic import write_json
from lungpipe.tables.errors import InputError
from lungpipe.tables.json_input import read_json

SECONDS_BETWEEN_PASSES = 2.0
SECONDS_AFTER_ERROR = 15.0
SECONDS_FOR_THE_DYING = 10.0
"""How long the last pass waits for killed processes: one that held much memory takes a while to end."""
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "BAD_REQUEST")
"""MLflow's errors that concern one record; every other error concerns the whole store."""

_logger = logging.getLogger(__name__)


def send_all(sender: RecordSender, outboxes: Sequence[Path], *, is_last_pass: bool = False) -> list[str]:
    """Send every record of the folders once; return one message for each record that could not be sent.

    An error of the whole store ends the pass. A folder in which another sender is busy is left to that sender, and
    waited for in the last pass.
    """
    complaints: list[str] = []
    try:
        require_store(sender.uri)
    except TrackingError as error:
        return [str(error)]
    for outbox in outboxes:
        with _alone_in(outbox, wait=is_last_pass) as is_alone:
            for path in pending_records(outbox) if is_alone else ():
                complaint, is_over = _send_one(sender, path, is_last_pass)
                complaints.extend(complaint)
                if is_over:
                    return complaints
            if is_alone:
                _remove_notes_without_record(outbox)
    return complaints


def _send_one(sender: RecordSender, path: Path, is_last_pass: bool) -> tuple[list[str], bool]:
    from mlflow.exceptions import MlflowException

    try:
        sender.send(path, is_last_pass=is_last_pass)
    except Exception as error:
        is_refusal = isinstance(error, MlflowException) and error.error_code in REFUSALS
        if is_refusal and sender.forget(path):
            return [], False
        # whatever a record meets is reported at the end, and the record stays
        _logger.warning("%s", path.name, exc_info=True)
        is_of_record = is_refusal or isinstance(error, TrackingError | OSError)
        return [f"{path.name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"], not is_of_record
    return [], False


def serve(uri: str, location: str | None, since: int, folders: Sequence[Path]) -> list[str]:
    """Send the records of the tracking folders until standard input closes; return what could not be sent.

    An error of any kind ends one pass and is returned if it is the last; the next pass tries again.
    """
    outboxes = [folder / "outbox" for folder in folders]
    passes = _Passes(uri, location, since, folders)
    complaints: list[str] = []
    while not _is_closed(SECONDS_AFTER_ERROR if complaints else SECONDS_BETWEEN_PASSES):
        complaints = passes.run()
    deadline = time.monotonic() + SECONDS_FOR_THE_DYING
    complaints = passes.run(is_last=True)
    while not complaints and _are_alive(outboxes) and time.monotonic() < deadline:
        time.sleep(0.2)
        complaints = passes.run(is_last=True)
    return complaints + passes.lost


class _Passes:
    """Passes over the records; the store is created, or connected to, by the first pass that can."""

    def __init__(self, uri: str, location: str | None, since: int, folders: Sequence[Path]) -> None:
        self._uri, self._location, self._since, self._folders = uri, location, since, folders
        self._sender: RecordSender | None = None

    @property
    def lost(self) -> list[str]:
        return self._sender.lost if self._sender else []

    def run(self, *, is_last: bool = False) -> list[str]:
        try:
            if self._sender is None:
                ensure_store(self._uri)
                self._sender = RecordSender(connect(self._uri), self._uri, self._location, self._since)
            complaints = send_all(self._sender, [each / "outbox" for each in self._folders], is_last_pass=is_last)
            # in every pass: the report of the same run of the workflow links to the study's run
            for folder in self._folders:
                note_parent(folder, self._uri, self._sender.parents())
            return complaints
        except Exception as error:
            # a full disk or a locked store may be over at the next pass; the error of the last pass is reported
            _logger.warning("a pass ended early", exc_info=True)
            return [f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"]


def note_parent(folder: Path, uri: str, parents: Mapping[str, tuple[str, str]]) -> None:
    """Write the tracking store, and the ids of experiment and parent run, beside a folder's records, for links.

    `parents` has experiment and run by the plan's digest. A file that says the same is kept; a damaged one is replaced.
    """
    plan = CurrentRun.read(folder / CURRENT).plan if (folder / CURRENT).is_file() else None
    if plan is None or plan not in parents:
        return
    place = dict(zip(("experiment", "run"), parents[plan], strict=True)) | {"uri": uri}
    if _noted(folder / EXPERIMENT) != place:
        write_json(folder / EXPERIMENT, place)


def _noted(path: Path) -> object:
    if not path.is_file():
        return None
    try:
        return read_json(path, "the store, the experiment and the run of a study")
    except InputError as error:
        _logger.warning("%s; the file is written again", error)
        return None


def _is_closed(seconds: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def _are_alive(outboxes: Sequence[Path]) -> bool:
    try:
        return any(is_locked(path) for outbox in outboxes for path in pending_records(outbox))
    except FileNotFoundError:
        # another sender has just removed a record that it sent
        return True


def _remove_notes_without_record(outbox: Path) -> None:
    for note in outbox.glob("*.sent"):
        if not note.with_suffix(ENDING).exists():
            note.unlink()


@contextmanager
def _alone_in(outbox: Path, *, wait: bool) -> Iterator[bool]:
    outbox.mkdir(parents=True, exist_ok=True)
    with (outbox / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def main() -> None:
    """Run the sender; its log is standard output, whose last line sums up what could not be sent."""
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    # the jobs' work comes first
    os.nice(10)
    # a server that is away is asked again in the next pass, and not for minutes in each
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    uri, location, since, *folders = sys.argv[1:]
    complaints = serve(uri, location or None, int(since), [Path(folder) for folder in folders])
    if complaints:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        sys.exit(f"{complaints[0]}{more}")


if __name__ == "__main__":
    main()
