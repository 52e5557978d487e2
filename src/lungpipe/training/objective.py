"""The interface of objectives: the loss of a training, and the score that chooses its best check."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from lungpipe.training.augment import TrainingPatches

Outputs = Mapping[str, Tensor]
"""Logits by head, as a network returns them."""


class Objective(Protocol):
    """Loss and validation score of one kind of network.

    A loss is a sum of means, and the mean over a batch is not the mean of the means of its parts. So `counts` returns
    the denominators of the means, which are additive over patches. With the counts of the whole batch, the losses of
    its parts (micro-batches, processes) add up to the loss of the whole batch.
    """

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return the denominators of the loss of these patches, (number of means,) float32."""

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar), divided by `counts`; None uses the counts of these patches."""

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return additive totals of validation patches, float64, on the patches' device."""

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Turn summed totals (on the CPU) into metrics; `score` (higher is better) chooses the best check."""
