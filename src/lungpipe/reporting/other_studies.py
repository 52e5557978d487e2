"""Other studies of a dataset, for the report: their settings and their CPM."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungpipe.settings.difference import find_studies


@dataclass(frozen=True, slots=True)
class OtherStudy:
    """A study beside the reported one: its settings (without paths) and its evaluation (evaluation.json)."""

    settings: Mapping[str, Any]
    summary: Mapping[str, Any]


def read_other_studies(study_dir: Path) -> dict[str, OtherStudy]:
    """Return the finished studies beside a study's folder, by name.

    They are read as they are when the report is written: a study that is evaluated later changes no earlier report.
    """
    found = {}
    for name, settings in find_studies(study_dir.parent, aside=study_dir.name).items():
        path = study_dir.parent / name / "evaluation" / "evaluation.json"
        if path.is_file():
            found[name] = OtherStudy(settings, json.loads(path.read_text()))
    return found
