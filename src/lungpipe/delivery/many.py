"""Predict many scans one after the other: a row each, and a second call goes on where the first was stopped."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lungpipe import __version__
from lungpipe.delivery.outputs import Wanted, write_prediction
from lungpipe.delivery.scans import Input
from lungpipe.prediction.document import Refusal, Result
from lungpipe.prediction.file_names import CANDIDATES_FILE, RESULT_FILE
from lungpipe.prediction.limits import RefusedScanError
from lungpipe.prediction.model import LoadedModel
from lungpipe.prediction.predict import predict
from lungpipe.prediction.privacy import without_identifiers
from lungpipe.prediction.result import NOTICE
from lungpipe.prediction.tables import write_candidates
from lungpipe.tables import file_sha256, is_full, write_csv, write_text

SCANS_FILE, SIGNATURE_FILE = "scans.csv", ".signature"
COLUMNS = ("folder", "source", "status", "reason", "message", "num_candidates", "malignancy_max", "notice")
"""Columns of scans.csv: the outputs' folder, the scan's path within the input, done or refused or failed, why, the
number of candidates, the patient's malignancy (empty without a scorer), and the notice."""


@dataclass(frozen=True, slots=True)
class Search:
    """How each scan is searched (see `predict`), and what is written of it."""

    threshold: float
    is_whole: bool
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one scan; `is_kept` if an earlier call had finished it."""

    scan: Input
    document: Result | Refusal
    is_kept: bool = False


def predict_many(
    scans: Sequence[Input], out: Path, model: LoadedModel, search: Search, *, on_done: Callable[[int, Outcome], None]
) -> tuple[Outcome, ...]:
    """Predict every scan into a folder of its own below `out`, and write scans.csv and candidates.csv.

    A scan that is refused or fails is a row with the reason; the others go on. A scan whose wanted outputs are there,
    by the same model, search and version, of unchanged files, is kept. scans.csv is written again after every scan, so
    that it is right if the call is stopped. `on_done` is called with the position (from 1) and outcome of each scan.
    Outputs that were edited since are written anew.

    Raises:
        OSError: a disk that is full; a second call goes on.
    """
    out.mkdir(parents=True, exist_ok=True)
    for leftover in out.glob(".scan-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a call that was killed
    outcomes: list[Outcome] = []
    for number, scan in enumerate(scans, start=1):
        outcomes.append(_predict(scan, out / scan.out_name, model, search))
        _write_scans(outcomes, out / SCANS_FILE)
        on_done(number, outcomes[-1])
    done = [outcome for outcome in outcomes if isinstance(outcome.document, Result)]
    tables = [pd.read_csv(out / outcome.scan.out_name / CANDIDATES_FILE, dtype=str) for outcome in done]
    write_candidates(tables, out / CANDIDATES_FILE)
    return tuple(outcomes)


def _predict(scan: Input, folder: Path, model: LoadedModel, search: Search) -> Outcome:
    try:
        # before the scan is read: a change while it is read must not go unnoticed
        signature = _signature(scan, search.wanted)
        if (kept := _kept(folder, signature, model, search)) is not None:
            return Outcome(scan, kept, is_kept=True)
        shutil.rmtree(folder, ignore_errors=True)
        found = predict(scan.path, model=model, threshold=search.threshold, is_whole=search.is_whole)
        document = write_prediction(found, folder, model, replace(search.wanted, source=scan.path))
        write_text(folder / SIGNATURE_FILE, _signed(signature, folder, document))
    except RefusedScanError as error:
        return Outcome(scan, _refusal(error.reason, error, scan))
    except Exception as error:
        if is_full(error):
            raise  # no flaw of the scan: the next call goes on here
        # one bad scan must not end the others; its row has the reason
        return Outcome(scan, _refusal("failed", error, scan))
    return Outcome(scan, document)


def _signature(scan: Input, wanted: Wanted) -> str:
    """Return a digest of the scan's files and the names of the wanted outputs: what an earlier prediction was of."""
    outputs = {"masks": wanted.has_masks, "pictures": wanted.has_overlays, "dicom": wanted.has_dicom}
    return " ".join([scan.signature(), *(name for name, is_wanted in outputs.items() if is_wanted)])


def _signed(signature: str, folder: Path, result: Result) -> str:
    """Return the content of the file that is kept beside a prediction: its signature, and the SHA-256 of its files."""
    digests = (f"{file_sha256(folder / name)} {name}" for name in sorted([*result.files, RESULT_FILE]))
    return "\n".join([signature, *digests]) + "\n"


def _refusal(reason: str, error: Exception, scan: Input) -> Refusal:
    message = without_identifiers(str(error) or type(error).__name__, scan.path)
    return Refusal.model_validate({"reason": reason, "message": message})


def _kept(folder: Path, signature: str, model: LoadedModel, search: Search) -> Result | None:
    """Return the result of an earlier call if it still holds."""
    try:
        known = (folder / SIGNATURE_FILE).read_text(encoding="utf-8")
        if known.partition("\n")[0] != signature:
            return None
        result = Result.model_validate_json((folder / RESULT_FILE).read_text(encoding="utf-8"))
        if known != _signed(signature, folder, result):
            return None  # a file was edited since it was written
    except (OSError, ValueError):
        return None
    expected = (model.digests, search.threshold, search.is_whole, __version__)
    found = (result.model.files, result.threshold, result.is_whole, result.lungpipe_version)
    return result if expected == found else None


def _write_scans(outcomes: Sequence[Outcome], path: Path) -> None:
    rows = []
    for outcome in outcomes:
        document = outcome.document
        row: dict[str, object] = {"source": outcome.scan.name, "status": document.status, "notice": NOTICE}
        if isinstance(document, Result):
            row |= {"folder": outcome.scan.out_name, "num_candidates": len(document.candidates)}
            row |= {"malignancy_max": document.patient.malignancy_max}
        else:
            row |= {"reason": document.reason, "message": document.message}
            row |= {"status": "failed"} if document.reason == "failed" else {}
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"num_candidates": "Int64"})
    write_csv(table, path)
