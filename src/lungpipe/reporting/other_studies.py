"""Other studies of a dataset, for the report: their settings and their CPM."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.settings.difference import find_studies
from lungpipe.tables import check_digests, read_json_object
from lungpipe.tables.digests import DIGESTS_FILE


@dataclass(frozen=True, slots=True)
class OtherStudy:
    """A study beside the reported one: its settings (without paths) and its evaluation (evaluation.json).

    `stored` has the marks for a paired comparison; None where an earlier version wrote the evaluation.
    """

    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    stored: StoredEvaluation | None = None


def read_other_studies(study_dir: Path, say: Callable[[str], None]) -> dict[str, OtherStudy]:
    """Return the finished studies beside a study's folder, by name.

    They are read as they are when the report is written: a study that is evaluated later changes no earlier report.
    A study whose files were edited, are being written, or have another form (of another version) is left out; `say` is
    called with the reason.
    """
    found = {}
    for name, settings in find_studies(study_dir.parent, aside=study_dir.name, say=say).items():
        folder = study_dir.parent / name / "evaluation"
        if not (folder / "evaluation.json").is_file():
            continue
        try:
            found[name] = _read(folder, settings)
        except (LookupError, OSError, TypeError, ValueError) as error:
            # a name alone is the message of a LookupError
            reason = f"{folder}: expected the tables of an evaluation, found none with {error}"
            say(f"study {name} is left out of the comparison: {reason if isinstance(error, LookupError) else error}")
    return found


def _read(folder: Path, settings: Mapping[str, Any]) -> OtherStudy:
    if all((folder / file).is_file() for file in (*STUDY_FILES, DIGESTS_FILE)):
        check_digests(folder, STUDY_FILES)
        stored = StoredEvaluation.read(folder)
        return OtherStudy(settings, stored.summary, stored)
    # an earlier version wrote the evaluation
    return OtherStudy(settings, read_json_object(folder / "evaluation.json", "the evaluation of a study"))
