"""The parent run that jobs belong to at present: the content of `tracking/run.json`."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lungpipe.tables.atomic import write_json
from lungpipe.tables.json_input import build_checked, parse_json

CURRENT = "run.json"
EXPERIMENT = "experiment.json"
"""Files in a tracking folder: the content of `CurrentRun`, and the parent run in MLflow: store, experiment and run."""


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """What a job needs for its record; written once per run of the workflow, so that no job asks git or MLflow.

    `plan` is the digest that names the parent run (see `RunPlan`); None where tracking is disabled.
    `commit` is the commit of this package, as `git_commit` returns it.
    """

    plan: str | None
    commit: str

    def write(self, path: Path) -> None:
        """Write the file whole."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "CurrentRun":
        """Read a file that `write` wrote; raises ValueError naming the file where the content is another."""
        try:
            return build_checked(cls, parse_json(Path(path).read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected plan and commit of a run, found {error}") from None
