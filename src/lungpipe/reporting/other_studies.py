"""Other studies of a dataset, for the report: their settings and their CPM."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.settings.difference import find_studies


@dataclass(frozen=True, slots=True)
class OtherStudy:
    """A study beside the reported one: its settings (without paths) and its evaluation (evaluation.json).

    `stored` has the marks for a paired comparison; None where an earlier version wrote the evaluation.
    """

    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    stored: StoredEvaluation | None = None


def read_other_studies(study_dir: Path) -> dict[str, OtherStudy]:
    """Return the finished studies beside a study's folder, by name.

    They are read as they are when the report is written: a study that is evaluated later changes no earlier report.
    """
    found = {}
    for name, settings in find_studies(study_dir.parent, aside=study_dir.name).items():
        folder = study_dir.parent / name / "evaluation"
        if all((folder / file).is_file() for file in STUDY_FILES):
            stored = StoredEvaluation.read(folder)
            found[name] = OtherStudy(settings, stored.summary, stored)
        elif (folder / "evaluation.json").is_file():
            found[name] = OtherStudy(settings, json.loads((folder / "evaluation.json").read_text()))
    return found
