"""Prepare a subset: resample every scan, find its lungs and store it; keep what is up to date."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.read import METAIMAGE
from lungpipe.preparation.memory import require_memory, worker_bytes
from lungpipe.preparation.raw_files import RECORDS_FILE, read_records, stat_scan
from lungpipe.preparation.up_to_date import Outcome, find_up_to_date, make_record, remove_others
from lungpipe.preparation.volume import ScanTask, prepare_volume
from lungpipe.preparation.workers import Work, Workers, spread
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import FAILURES, MachineError, is_of_machine, write_json, write_table
from lungpipe.volumes.manifest import MANIFEST_FILE, VolumeEntry, write_manifest

Log = Callable[[str], None]

FAILURES_FILE = "failures.parquet"
"""Name of the table of failures, in the folder of the manifest."""


@dataclass(frozen=True, slots=True, eq=False)
class PrepareRequest:
    """How a subset is prepared: settings, fingerprint, subset number.

    `code` is the fingerprint of the code that makes a volume (`prepare_volume` and the reader); `reader` names the
    reader of the scans' format. Annotations are not used, so a change of annotations prepares nothing again.
    `whole_scans` are the series whose lungs are found even where `lung_mask` is `whole`: whole scans beside crops.
    """

    settings: PreprocessingSettings
    code: str
    subset: int
    reader: str = METAIMAGE
    whole_scans: frozenset[str] = frozenset()

    def settings_of(self, series_uid: str) -> PreprocessingSettings:
        """Return the settings of one series."""
        is_beside = series_uid in self.whole_scans
        return self.settings.model_copy(update={"lung_mask": "threshold"}) if is_beside else self.settings


@dataclass(frozen=True, slots=True, eq=False)
class PrepareResult:
    """The result of a subset: the manifest's entries, the failures (contract FAILURES), and counts of scans."""

    entries: tuple[VolumeEntry, ...]
    failures: pd.DataFrame
    num_kept: int
    num_computed: int
    num_failed: int
    num_removed: int


def prepare_subset(
    scans: Sequence[ScanFiles],
    folder: Path,
    request: PrepareRequest,
    *,
    num_workers: int,
    log: Log,
    on_done: Log | None = None,
) -> PrepareResult:
    """Prepare the scans of one subset into `folder`: stores, manifest.json, failures.parquet and raw_files.json.

    A scan whose raw files, parameters, code and store are unchanged is kept. A scan that fails becomes a row of the
    failures with its reason while the others finish; the caller decides whether that is fatal. An error of the machine
    (space, permission, input/output, memory) is no failure of a scan and ends the job; finished stores stay and are
    kept by the next run. Scans are spread over `num_workers` threads, or over the dask scheduler of the settings, one
    scan per worker at a time. A scan that needs more memory than a worker has fails before it is read. `on_done` is
    called with one line per computed scan; without `on_done`, `log` is.

    Raises:
        ValueError: two scans of one series UID, or a dask worker without a sufficient memory limit (WorkerError).
        MachineError: an error of the machine while a scan was prepared; the message names the series and the file.
        WriteError: the tables of the subset could not be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tasks = _list_tasks(scans, folder, request)
    kept = find_up_to_date(tasks, folder)
    num_missing = len(tasks) - len(kept)
    # cores of workers without a scan are given to the others
    threads = max(num_workers // max(num_missing, 1), 1)
    missing = [replace(task, threads=threads) for task in tasks if task.scan.series_uid not in kept]
    log(f"subset {request.subset}: {len(tasks)} scans, {len(kept)} kept, {num_missing} to compute")
    computed = spread(
        Work(run_task, _need, _fail),
        missing,
        lambda outcome: (on_done or log)(f"{outcome.series_uid}: {_describe(outcome)}"),
        Workers(num_workers, worker_bytes(request.settings), request.settings.scheduler_address),
    )
    outcomes = {**kept, **{outcome.series_uid: outcome for outcome in computed}}
    result = _write(folder, [outcomes[uid] for uid in sorted(outcomes)], len(kept))
    log(
        f"subset {request.subset}: {len(result.entries)} of {len(tasks)} scans ready: {result.num_kept} kept,"
        f" {result.num_computed} computed, {result.num_failed} failed; {result.num_removed} stores removed"
    )
    return result


def run_task(task: ScanTask) -> Outcome:
    """Prepare one scan; an error of the scan becomes the reason of its failure.

    Raises:
        MachineError: an error of the machine, after which the scan may be fine.
    """
    uid = task.scan.series_uid
    try:
        stat = stat_scan(task.scan)
        entry = prepare_volume(task, stat)
        return Outcome(uid, entry, make_record(entry, stat))
    except Exception as error:  # noqa: BLE001 - one bad scan must not end the others; its failure names the reason
        refuse_machine_error(error, task)
        return _fail(task, str(error) or type(error).__name__)


def refuse_machine_error(error: Exception, task: ScanTask) -> None:
    """Raise MachineError, with the name of the task's series, if an error is one of the machine."""
    if is_of_machine(error, task.folder):
        reason = str(error) or type(error).__name__
        raise MachineError(f"series {task.scan.series_uid}: not prepared because of the machine: {reason}") from error


def _list_tasks(scans: Sequence[ScanFiles], folder: Path, request: PrepareRequest) -> list[ScanTask]:
    doubles = [uid for uid, count in Counter(scan.series_uid for scan in scans).items() if count > 1]
    if doubles:
        raise ValueError(f"subset {request.subset}: expected every series once, found {doubles[0]} twice")
    return [
        ScanTask(scan, folder, request.settings_of(scan.series_uid), request.code, reader=request.reader)
        for scan in scans
    ]


def _need(task: ScanTask, limit_bytes: int) -> int:
    try:
        return require_memory(task.scan, task.settings, limit_bytes, threads=task.threads)
    except (ValueError, OSError) as error:
        refuse_machine_error(error, task)
        raise


def _fail(task: ScanTask, reason: str) -> Outcome:
    return Outcome(task.scan.series_uid, None, {}, reason)


def _describe(outcome: Outcome) -> str:
    return "prepared" if outcome.entry else f"failed: {outcome.reason}"


def _write(folder: Path, outcomes: list[Outcome], num_kept: int) -> PrepareResult:
    entries = tuple(outcome.entry for outcome in outcomes if outcome.entry is not None)
    num_removed = remove_others(folder, {entry.store for entry in entries})
    rows = [(outcome.series_uid, outcome.reason) for outcome in outcomes if outcome.entry is None]
    failures = FAILURES.conform(pd.DataFrame(rows, columns=list(FAILURES.columns)))
    records = {outcome.series_uid: outcome.record for outcome in outcomes if outcome.record}
    if records != read_records(folder):
        write_json(folder / RECORDS_FILE, records)
    write_table(failures, folder / FAILURES_FILE, FAILURES)
    # written last: the manifest exists only for a finished subset
    write_manifest(folder / MANIFEST_FILE, entries)
    num_failed = len(outcomes) - len(entries)
    return PrepareResult(entries, failures, num_kept, len(entries) - num_kept, num_failed, num_removed)
