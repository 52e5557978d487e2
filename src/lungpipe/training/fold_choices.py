"""What the folds of a study chose, for a model that is trained on all its series and has nothing to choose on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from lungpipe.models import digest_of, read_card
from lungpipe.models.card import mean_calibration

MONITORED_SHARE = 10
"""One training series of this many is measured at every check, so that a broken training is seen."""


@dataclass(frozen=True, slots=True)
class FoldChoices:
    """The step whose weights are kept, and figures that calibrate the model: median and means over the folds' models.

    Each fold chose them on validation series that its model never trained on.
    """

    step: int
    figures: Mapping[str, float]


def read_choices(paths: Iterable[Path | str]) -> FoldChoices:
    """Return the choices of the models of a study's folds (one role).

    These are the median best step of all members, and the mean calibrations that all cards have.

    Raises:
        ValueError: no models, a model without a fold, or two models of one fold.
    """
    cards = {path: read_card(Path(path)) for path in paths}
    if not cards:
        raise ValueError("final model: expected the models of the study's folds, found none")
    folds: dict[int, Path | str] = {}
    for path, card in cards.items():
        if card.fold is None:
            raise ValueError(f"{path}: expected a model of a fold, found one without")
        if card.fold in folds:
            raise ValueError(f"{path}: expected a fold of its own, found fold {card.fold} as in {folds[card.fold]}")
        folds[card.fold] = path
    steps = [step for card in cards.values() for step in card.best_steps]
    return FoldChoices(median_low(steps), mean_calibration([*cards.values()]))


def list_monitored(series_uids: Sequence[str]) -> tuple[str, ...]:
    """Return a tenth of the training series, by the digest of their UIDs; at least one."""
    return tuple(sorted(series_uids, key=digest_of)[::MONITORED_SHARE])
