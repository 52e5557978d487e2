"""Loss of a scorer: cross-entropy of nodule or not, and of malignancy where a nodule is rated."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.settings.recipe.scorer import ScoreObjectiveSettings
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.histograms import auc_of, histogram
from lungpipe.training.objective import Outputs

HEADS = {"nodule": "is_nodule", "malignancy": "malignancy"}
"""Label of each head; a NaN label has no loss."""


class ScoreObjective:
    """Mean cross-entropy of the head `nodule`, plus `malignancy_weight` x that of the head `malignancy`."""

    def __init__(self, settings: ScoreObjectiveSettings) -> None:
        self.weights = {"nodule": 1.0, "malignancy": settings.malignancy_weight}

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (2,): weighted number of patches whose nodule and whose malignancy label is known."""
        return torch.stack([(known(patches, head) * patches.weight_B).sum() for head in HEADS])

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of the logits `nodule` and `malignancy`, (B,) each."""
        chosen = self.counts(patches) if counts is None else counts
        means = [
            self.weights[head] * self._entropy(outputs, patches, head) / count.clamp(min=1e-6)
            for head, count in zip(HEADS, chosen, strict=True)
        ]
        return torch.stack(means).sum()

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the loss's sums and counts, and histograms of both heads' logits by label."""
        totals = {}
        for head, count in zip(HEADS, self.counts(patches), strict=True):
            label, is_known = patches.labels[HEADS[head]], known(patches, head)
            totals[f"{head}_entropy"] = self._entropy(outputs, patches, head).double()
            totals[f"{head}_count"] = count.double()
            totals[f"{head}_positives"] = histogram(outputs[head], is_known * (label > 0.5))
            totals[f"{head}_negatives"] = histogram(outputs[head], is_known * (label <= 0.5))
        return totals

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return `score`, `validation_loss`, and the AUC of each head with both labels in the validation points.

        The score is the negative loss, not the AUC: on a small validation subset the AUC reaches 1 early and
        then no longer ranks the checks.
        """
        loss = sum(
            self.weights[head] * float(totals[f"{head}_entropy"]) / max(float(totals[f"{head}_count"]), 1e-6)
            for head in HEADS
        )
        metrics = {"score": -loss, "validation_loss": loss}
        for head in HEADS:
            value = auc_of(totals[f"{head}_positives"], totals[f"{head}_negatives"])
            if not math.isnan(value):
                metrics[f"validation_{head}_auc"] = value
        return metrics

    def _entropy(self, outputs: Outputs, patches: TrainingPatches, head: str) -> Tensor:
        """Return the weighted sum of a head's cross-entropy over the patches with a known label."""
        label, weight = patches.labels[HEADS[head]], known(patches, head) * patches.weight_B
        entropy = functional.binary_cross_entropy_with_logits(
            outputs[head].float(), label.nan_to_num(), reduction="none"
        )
        return (entropy * weight).sum()


def known(patches: TrainingPatches, head: str) -> Tensor:
    """Return 1 (float32) for each patch whose label of this head is known, else 0."""
    return (~patches.labels[HEADS[head]].isnan()).float()
