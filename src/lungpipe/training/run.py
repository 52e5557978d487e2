"""Where a training runs, its callbacks, and its result."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lungpipe.models import Hardware
from lungpipe.tables import HISTORY
from lungpipe.training.hard_negatives import Mining

Log = Callable[[int, Mapping[str, float]], None]
"""Called with (steps taken, metrics) after each check."""


Say = Callable[[str], None]
"""Called with a line for the user."""


def ignore_line(line: str) -> None:
    """Ignore a line of text."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Where and how a training runs. `log`, `resume_path` and `say` change no trained weight.

    `identity` is a digest of everything that the training depends on; a resume file of another identity is not used.
    `say` is called with lines for the user. The weights of the check with the best score are kept; with `kept_step`
    those of the check after that step, where the training ends. `mining` searches for false positives.
    """

    hardware: Hardware
    patch_size_vox: int
    seed: int
    log: Log
    resume_path: Path | None = None
    identity: str = ""
    say: Say = ignore_line
    kept_step: int | None = None
    mining: Mining | None = None


@dataclass(slots=True)
class Outcome:
    """The step whose weights were kept, its score, and all metrics except times."""

    best_step: int = 0
    best_score: float = -math.inf
    rows: list[tuple[int, str, float]] = field(default_factory=list)

    @property
    def history(self) -> pd.DataFrame:
        """Return the metrics as a table (contract HISTORY)."""
        return HISTORY.conform(pd.DataFrame(self.rows, columns=["step", "metric", "value"]))
