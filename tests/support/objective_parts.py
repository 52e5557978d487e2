"""Losses of the parts of a batch."""

from collections.abc import Iterator

from torch import Tensor

from lungpipe.training.augment import TrainingPatches
from lungpipe.training.objective import Objective
from lungpipe.training.step import split


def losses_of_parts(
    objective: Objective, outputs: dict[str, Tensor], patches: TrainingPatches, size: int
) -> Iterator[Tensor]:
    """Yield the loss of each part of `size` patches, divided by the counts of the whole batch."""
    counts = objective.counts(patches)
    for number, part in enumerate(split(patches, size)):
        chosen = slice(number * size, (number + 1) * size)
        yield objective.loss({name: value[chosen] for name, value in outputs.items()}, part, counts)
