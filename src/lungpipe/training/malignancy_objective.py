"""Loss of a fine-tuning: cross-entropy of malignancy alone."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.training.augment import TrainingPatches
from lungpipe.training.histograms import auc_of, histogram
from lungpipe.training.objective import Outputs


class MalignancyObjective:
    """Mean cross-entropy of the head `malignancy`; a NaN label has no loss, and a row counts by its weight."""

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (1,): weighted number of patches whose malignancy is known."""
        return _weight(patches).sum()[None]

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of the logits `malignancy` (B,)."""
        chosen = self.counts(patches) if counts is None else counts
        return self._entropy(outputs, patches) / chosen[0].clamp(min=1e-6)

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the loss's sum and count, and histograms of the logits by label."""
        label, weight = patches.labels["malignancy"], _weight(patches)
        return {
            "malignancy_entropy": self._entropy(outputs, patches).double(),
            "malignancy_count": weight.sum().double(),
            "malignancy_positives": histogram(outputs["malignancy"], weight * (label > 0.5)),
            "malignancy_negatives": histogram(outputs["malignancy"], weight * (label <= 0.5)),
        }

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return `score` (the negative loss), `validation_loss`, and the AUC if both labels are in the totals."""
        loss = float(totals["malignancy_entropy"]) / max(float(totals["malignancy_count"]), 1e-6)
        metrics = {"score": -loss, "validation_loss": loss}
        value = auc_of(totals["malignancy_positives"], totals["malignancy_negatives"])
        return metrics if math.isnan(value) else metrics | {"validation_malignancy_auc": value}

    def _entropy(self, outputs: Outputs, patches: TrainingPatches) -> Tensor:
        logits, label = outputs["malignancy"].float(), patches.labels["malignancy"].nan_to_num()
        entropy = functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
        return (entropy * _weight(patches)).sum()


def _weight(patches: TrainingPatches) -> Tensor:
    """Return the weight of each patch (float32), 0 where the malignancy is unknown."""
    return torch.where(patches.labels["malignancy"].isnan(), 0.0, patches.weight_B)
