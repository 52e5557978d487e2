"""Where a study's parent run is found: the content of `run.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lungpipe.tables import write_json


@dataclass(frozen=True, slots=True)
class RunReference:
    """A parent run in a tracking store; all three are None where tracking is disabled."""

    uri: str | None = None
    experiment_id: str | None = None
    run_id: str | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether there is a run to log to."""
        return self.run_id is not None

    def write(self, path: Path) -> None:
        """Write the reference as JSON, whole."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "RunReference":
        """Read a reference that `write` wrote; raises ValueError naming the file where it holds something else."""
        try:
            return cls(**json.loads(Path(path).read_text()))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected uri, experiment_id and run_id of a run, found {error}") from None
