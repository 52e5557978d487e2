"""Loss of a 2D scorer: cross-entropy of its scores, and L1 of the localiser's place and diameter."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lungpipe.sampling.batch import NODULE
from lungpipe.sampling.targets import diameters_mm
from lungpipe.settings.recipe.scorer import ScoreObjectiveSettings, SliceObjectiveSettings
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.objective import Outputs
from lungpipe.training.score_objective import ScoreObjective

UNIT_MM = 10.0
"""A network's diameter is log(mm / 10)."""
LOSS_UNIT_VOX = 10.0
"""An error of the place of 10 voxels has a loss of 1."""


@dataclass(frozen=True, slots=True)
class Located:
    """The nodule nearest to the middle of each patch: y, x in voxels from the middle (B, 2), diameter in mm (B,).

    weight: the weight of the patch (B,), 0 for a patch whose point is no nodule.
    """

    place_B2: Tensor
    diameter_mm_B: Tensor
    weight_B: Tensor


class SliceObjective:
    """The loss of `ScoreObjective`, plus the L1 losses of place and log diameter of the patch's own nodule."""

    def __init__(self, settings: SliceObjectiveSettings) -> None:
        self.scores = ScoreObjective(ScoreObjectiveSettings(malignancy_weight=settings.malignancy_weight))
        self.place_weight, self.diameter_weight = settings.place_weight, settings.diameter_weight

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (3,): the counts of `ScoreObjective`, and the weighted number of patches with a nodule to locate."""
        return torch.cat([self.scores.counts(patches), locate(patches).weight_B.sum()[None]])

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of `nodule` and `malignancy` (B,), `place` (B, 2) and `diameter` (B,)."""
        chosen = self.counts(patches) if counts is None else counts
        located = locate(patches)
        place = (outputs["place"].float() - located.place_B2).abs().mean(dim=1) / LOSS_UNIT_VOX
        diameter = (outputs["diameter"].float() - (located.diameter_mm_B / UNIT_MM).log()).abs()
        each = self.place_weight * place + self.diameter_weight * diameter
        return self.scores.loss(outputs, patches, chosen[:2]) + (each * located.weight_B).sum() / chosen[2].clamp(
            min=1e-6
        )

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the totals of `ScoreObjective`, counts of decisions at probability 0.5, and the localiser's errors."""
        located = locate(patches)
        label, is_found = patches.labels["is_nodule"], outputs["nodule"] > 0
        _, y_mm, x_mm = patches.spacing_zyx_mm
        y_error, x_error = (outputs["place"].float() - located.place_B2).abs().unbind(dim=1)
        diameter_mm = UNIT_MM * outputs["diameter"].float().exp()
        totals = {
            "true_positives": ((label > 0.5) & is_found).sum(),
            "false_positives": ((label <= 0.5) & is_found).sum(),
            "false_negatives": ((label > 0.5) & ~is_found).sum(),
            "true_negatives": ((label <= 0.5) & ~is_found).sum(),
            "located": located.weight_B.sum(),
            "place_px": ((y_error + x_error) / 2.0 * located.weight_B).sum(),
            "place_mm": ((y_error * y_mm + x_error * x_mm) / 2.0 * located.weight_B).sum(),
            "centre_px": (located.place_B2.abs().mean(dim=1) * located.weight_B).sum(),
            "diameter_mm": ((diameter_mm - located.diameter_mm_B).abs() * located.weight_B).sum(),
        }
        totals["diameter_px"] = totals["diameter_mm"] / ((y_mm + x_mm) / 2.0)
        return self.scores.measure(outputs, patches) | {name: value.double() for name, value in totals.items()}

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the metrics of `ScoreObjective`, accuracy and F1 at probability 0.5, and mean absolute errors.

        The errors are those of y and x (their mean) and of the diameter, in pixels and mm; `localiser_centre_mae_px` is
        the error of the answer "in the middle of the patch". `score` is the negative loss of the scores: the localiser
        chooses no weights.
        """
        found, missed = float(totals["true_positives"]), float(totals["false_negatives"])
        false, right = float(totals["false_positives"]), float(totals["true_negatives"])
        metrics = self.scores.summary(totals) | {
            "validation_accuracy": (found + right) / max(found + missed + false + right, 1.0),
            "validation_f1": 2.0 * found / max(2.0 * found + missed + false, 1.0),
        }
        count = float(totals["located"])
        if count:
            names = ("place_px", "place_mm", "centre_px", "diameter_px", "diameter_mm")
            errors = {name: float(totals[name]) / count for name in names}
            metrics |= {f"localiser_{name[:-3]}_mae_{name[-2:]}": error for name, error in errors.items()}
        return metrics


def locate(patches: TrainingPatches) -> Located:
    """Return the nodule nearest to the middle of each patch, for the patches whose point is inside a nodule."""
    findings = patches.findings_BK5
    if findings.shape[1] == 0:
        nothing = patches.weight_B.new_zeros(len(patches))
        return Located(torch.stack([nothing, nothing], dim=1), nothing + UNIT_MM, nothing)
    squared = findings[..., :3].square().sum(dim=-1)
    is_nodule = findings[..., 4] == NODULE
    nearest = squared.masked_fill(~is_nodule, torch.inf).argmin(dim=1)
    own = findings.gather(1, nearest[:, None, None].expand(-1, 1, 5))[:, 0]
    is_there = is_nodule.any(dim=1) & (patches.labels["is_nodule"] > 0.5)
    place = torch.stack([own[:, axis] / patches.spacing_zyx_mm[axis] for axis in (1, 2)], dim=1)
    return Located(place, diameters_mm(own).clamp(min=1.0), patches.weight_B * is_there)
