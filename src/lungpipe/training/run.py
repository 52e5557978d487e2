"""Where a training runs, who listens, and what comes out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lungpipe.models import Hardware
from lungpipe.tables import HISTORY

Log = Callable[[int, Mapping[str, float]], None]
"""Receives (steps taken, metrics): how a training reports without knowing who listens."""


Say = Callable[[str], None]
"""Receives a line for the user."""


def ignore_line(line: str) -> None:
    """Take a line of text and do nothing with it."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Where and how a training runs; nothing here changes what it learns, except seed and hardware.

    `identity` is a digest of all that the training is made from; a resume file of another identity is not used.
    `say` receives lines for the user.
    """

    hardware: Hardware
    patch_size_vox: int
    seed: int
    log: Log
    resume_path: Path | None = None
    identity: str = ""
    say: Say = ignore_line


@dataclass(slots=True)
class Outcome:
    """The step whose weights were kept, its score, and every metric that does not depend on the clock."""

    best_step: int = 0
    best_score: float = -math.inf
    rows: list[tuple[int, str, float]] = field(default_factory=list)

    @property
    def history(self) -> pd.DataFrame:
        """Return the metrics as a table (contract HISTORY)."""
        return HISTORY.conform(pd.DataFrame(self.rows, columns=["step", "metric", "value"]))
