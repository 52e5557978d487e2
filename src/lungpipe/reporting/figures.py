"""All figures of an evaluated study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lungpipe.reporting.candidates_figure import draw_candidates
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.examples import pick_examples
from lungpipe.reporting.froc_figure import draw_froc
from lungpipe.reporting.style import house_style
from lungpipe.reporting.training_figure import Histories, draw_training

NUM_EXAMPLES = 6
"""Patches in a row of the montage, so that each is large enough on a page."""


@dataclass(frozen=True, slots=True)
class FigureInputs:
    """The content of the figures: the evaluation, every network's histories, and the volumes by series."""

    stored: StoredEvaluation
    histories: Histories
    stores: Mapping[str, Path]


def draw_figures(inputs: FigureInputs, folder: Path) -> None:
    """Write froc.png, training.png and candidates.png; the same inputs give the same bytes."""
    folder = Path(folder)
    with house_style():
        draw_froc(inputs.stored.froc, inputs.stored.band, folder / "froc.png")
        draw_training(inputs.histories, folder / "training.png")
        examples = pick_examples(inputs.stored.matches, NUM_EXAMPLES)
        draw_candidates(examples, inputs.stores, NUM_EXAMPLES, folder / "candidates.png")
