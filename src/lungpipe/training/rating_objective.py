"""Loss of a scorer that learns the readers' ratings: their distributions beside the labels nodule and malignancy."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lungpipe.settings.recipe.scorer import RatingObjectiveSettings, ScoreObjectiveSettings
from lungpipe.tables import CHARACTERISTICS
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.objective import Outputs
from lungpipe.training.score_objective import ScoreObjective


class RatingObjective:
    """The loss of `ScoreObjective`, plus `ratings_weight` x the cross-entropy between readers' and network's ratings.

    The cross-entropy of one characteristic is the mean over the nodules that have its ratings, against the share of
    readers who gave each rating; that of all is the mean over the nine characteristics.
    """

    def __init__(self, settings: RatingObjectiveSettings) -> None:
        self.scores = ScoreObjective(ScoreObjectiveSettings(malignancy_weight=settings.malignancy_weight))
        self.weight = settings.ratings_weight

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (11,): the two counts of `ScoreObjective`, and the weighted number of rated patches of each rating."""
        rated = (_is_rated(patches) * patches.weight_B[:, None]).sum(dim=0)
        return torch.cat([self.scores.counts(patches), rated])

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of the logits `nodule` (B,), `malignancy` (B,) and `ratings` (B, 9, 6)."""
        chosen = self.counts(patches) if counts is None else counts
        means = _entropies(outputs, patches) / chosen[2:].clamp(min=1e-6)
        return self.scores.loss(outputs, patches, chosen[:2]) + self.weight * means.sum() / len(CHARACTERISTICS)

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the totals of `ScoreObjective`, and the sums and counts of the ratings' cross-entropies (9,)."""
        return self.scores.measure(outputs, patches) | {
            "ratings_entropy": _entropies(outputs, patches).double(),
            "ratings_count": self.counts(patches)[2:].double(),
        }

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the metrics of `ScoreObjective` and `validation_ratings_entropy`; the score is the negative loss."""
        metrics = self.scores.summary(totals)
        means = totals["ratings_entropy"] / totals["ratings_count"].clamp(min=1e-6)
        entropy = float(means.sum()) / len(CHARACTERISTICS)
        loss = metrics["validation_loss"] + self.weight * entropy
        return metrics | {"score": -loss, "validation_loss": loss, "validation_ratings_entropy": entropy}


def _is_rated(patches: TrainingPatches) -> Tensor:
    """Return (B, 9) float32: 1 where a patch's nodule has ratings of a characteristic, else 0."""
    return (~patches.labels["ratings"][..., 0].isnan()).float()


def _entropies(outputs: Outputs, patches: TrainingPatches) -> Tensor:
    """Return (9,): for each characteristic the weighted sum of the cross-entropies over the rated patches."""
    shares = patches.labels["ratings"].nan_to_num()
    entropy = -(shares * outputs["ratings"].float().log_softmax(dim=-1)).sum(dim=-1)
    return (entropy * patches.weight_B[:, None]).sum(dim=0)
