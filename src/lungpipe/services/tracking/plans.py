"""Name and settings of a parent run in MLflow, written beside the records so that the sender can create the run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.settings import StudySettings
from lungpipe.settings.difference import describe_differences, portable_settings
from lungpipe.tables.atomic import write_json
from lungpipe.tables.json_input import build_checked, parse_json


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A parent run: name, note, experiment, and the nested settings that identify the run.

    The settings (`identity`) become the run's params. They are portable: no path, server or series UID leaves the
    results folder with them.
    """

    name: str
    note: str
    experiment: str
    identity: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The 16 hex digits by which the run is found again."""
        content = json.dumps({"name": self.name, **self.identity}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Write the plan as `<digest>.json` into a folder, atomically."""
        write_json(folder / f"{self.digest}.json", asdict(self))

    @classmethod
    def read(cls, folder: Path, digest: str) -> "RunPlan":
        """Read a plan that `write` wrote; raises TrackingError naming the file if it is missing, another or edited."""
        path = folder / f"{digest}.json"
        try:
            plan = build_checked(cls, parse_json(path.read_text(encoding="utf-8")))
            if plan.digest != digest:
                raise ValueError(f"one with digest {plan.digest}")
            return plan
        except (OSError, TypeError, ValueError) as error:
            raise TrackingError(f"{path}: expected the plan of a parent run, found {error}") from None


def plan_study(settings: StudySettings, others: Mapping[str, Mapping[str, Any]] | None = None) -> RunPlan:
    """Return the plan of a study's run; settings of tracking are not part of its identity.

    `others` are the settings of other studies of the dataset by name; the note says which of the settings differ.
    """
    identity = portable_settings(settings.model_dump(mode="json"))
    note = f"Recipe `{settings.recipe}` on `{settings.dataset.name}`, folds {list(settings.folds)}"
    for name, theirs in (others or {}).items():
        note += f"\n\nCompared with `{name}`: {describe_differences(identity, theirs)}"
    return RunPlan(settings.study_name, note, settings.dataset.name, identity)


def plan_dataset(settings: StudySettings) -> RunPlan:
    """Return the plan of the run for a dataset's targets and volumes, which all recipes share."""
    name = settings.dataset.name
    identity = portable_settings(settings.model_dump(mode="json", include={"dataset", "preprocessing"}))
    return RunPlan("volumes", f"Targets and volumes of `{name}`", name, identity)
