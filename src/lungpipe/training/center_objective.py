"""Loss of a centre network: focal loss of the heat map, L1 of offset and log diameter, and the mask loss."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling.batch import NODULE
from lungpipe.sampling.targets import HeatTargets, diameters_mm, heat_targets, paint_masks
from lungpipe.settings.recipe.detector import CenterObjectiveSettings, MaskObjectiveSettings
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.histograms import average_precision_of, histogram
from lungpipe.training.mask_objective import MaskObjective
from lungpipe.training.objective import Outputs

PARTS = ("heatmap", "offset", "diameter")


class CenterObjective:
    """Penalty-reduced focal loss, offset and diameter losses (Zhou, Wang, Kraehenbuehl: Objects as Points, 2019).

    All three are divided by the number of nodule centres. Excluded findings carry no heat map loss. Every sum over a
    patch is multiplied by the patch's weight.
    """

    def __init__(self, settings: CenterObjectiveSettings) -> None:
        self.settings = settings
        self.mask = MaskObjective(MaskObjectiveSettings())
        self.weights = {"heatmap": 1.0, "offset": settings.offset_weight, "diameter": settings.diameter_weight}

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (3,): weighted number of nodule centres, then the counts of the mask loss."""
        return torch.cat([num_centers(patches)[None], self.mask.counts(patches)])

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of the logits `heatmap`, `offset`, `diameter` and `mask`."""
        chosen = self.counts(patches) if counts is None else counts
        sums = self._sums(outputs, patches)
        # a batch without a nodule trains on its background
        center = sum((self.weights[part] * sums[part] for part in PARTS), chosen.new_zeros(()))
        loss = center / chosen[0].clamp(min=1.0)
        if self.settings.mask_weight == 0:
            return loss
        return loss + self.settings.mask_weight * self.mask.loss(outputs, patches, chosen[1:])

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the losses' sums and counts, histograms of peaks in and outside nodules, and the mask's totals."""
        totals = {name: value.double() for name, value in self._sums(outputs, patches).items()}
        totals["centers"] = num_centers(patches).double()
        (nodules, is_nodule), background = peaks(outputs["heatmap"], patches)
        totals["nodule_peaks"] = histogram(nodules, is_nodule)
        totals["background_peaks"] = histogram(background, torch.ones_like(background))
        return totals | self.mask.measure(outputs, patches)

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return `score`, the average precision of nodules' peaks against each patch's highest other peak, and losses.

        The precision ranks checks as a FROC curve does, with patches instead of scans; the loss ranks checks of equal
        precision.
        """
        centers = max(float(totals["centers"]), 1.0)
        mask = self.mask.summary(totals)
        losses = {f"validation_{part}_loss": float(totals[part]) / centers for part in PARTS}
        loss = sum(self.weights[part] * losses[f"validation_{part}_loss"] for part in PARTS)
        loss += self.settings.mask_weight * mask["validation_loss"]
        precision = average_precision_of(totals["nodule_peaks"], totals["background_peaks"])
        metrics = {"validation_loss": loss, "validation_dice": mask["validation_dice"], **losses}
        if math.isnan(precision) and not float(totals["nodule_peaks"].sum()):
            return metrics | {"score": -1e-3 * loss}
        return metrics | {"score": precision - 1e-3 * loss, "validation_peak_precision": precision}

    def _targets(self, patches: TrainingPatches, heatmap_BCZYX: Tensor) -> HeatTargets:
        z, y, x = patches.hu_BCZYX.shape[2:]
        return heat_targets(
            patches.findings_BK5,
            (z, y, x),
            patches.spacing_zyx_mm,
            stride=z // heatmap_BCZYX.shape[2],
            heatmap_sigma=self.settings.heatmap_sigma,
            smallest_sigma_vox=self.settings.smallest_sigma_vox,
        )

    def _sums(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return the weighted sums over all patches of the focal loss and of both L1 losses."""
        targets = self._targets(patches, outputs["heatmap"])
        logits = outputs["heatmap"].float()
        found, missed = torch.sigmoid(logits), torch.sigmoid(-logits)
        center = missed.square() * -functional.logsigmoid(logits)
        other = (1.0 - targets.heatmap) ** 4 * found.square() * -functional.logsigmoid(-logits)
        focal = torch.where(targets.is_center > 0, center, other) * targets.is_counted
        offset = (outputs["offset"].float() - targets.offset).abs() * targets.is_center
        diameter = (outputs["diameter"].float() - targets.diameter).abs() * targets.is_center
        losses = dict(zip(PARTS, (focal, offset, diameter), strict=True))
        return {part: (loss.flatten(1).sum(dim=1) * patches.weight_B).sum() for part, loss in losses.items()}


def num_centers(patches: TrainingPatches) -> Tensor:
    """Return the weighted number of nodules with their centre inside their patch (scalar)."""
    findings, sides = patches.findings_BK5, patches.hu_BCZYX.shape[2:]
    halves_mm = [size * step / 2 for size, step in zip(sides, patches.spacing_zyx_mm, strict=True)]
    # axis by axis: a tensor made from a list of sizes would be copied from the host, which then waits for the device
    is_inside = torch.stack([findings[..., axis].abs() <= halves_mm[axis] for axis in range(3)]).all(dim=0)
    is_center = is_inside & (findings[..., 4] == NODULE)
    return (is_center.sum(dim=1) * patches.weight_B).sum()


def peaks(heatmap_BCZYX: Tensor, patches: TrainingPatches) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the highest logit in each finding (B * K,) with 1 for nodules and 0 for others, and of the rest (B,).

    The rest of a patch begins two coarse voxels outside every finding, excluded findings included: closer to a nodule,
    its Gaussian is still high.
    """
    logits, findings = heatmap_BCZYX[:, 0].float(), patches.findings_BK5
    shape = (logits.shape[1], logits.shape[2], logits.shape[3])
    stride = patches.hu_BCZYX.shape[2] / shape[0]
    z, y, x = patches.spacing_zyx_mm
    coarse = (stride * z, stride * y, stride * x)
    lowest = torch.finfo(torch.float32).min
    columns = []
    for column in range(findings.shape[1]):
        inside = paint_masks(findings[:, column : column + 1], shape, coarse) > 0
        highest = logits.masked_fill(~inside, lowest).flatten(1).amax(dim=1)
        is_nodule = (findings[:, column, 4] == NODULE) & inside.flatten(1).any(dim=1)
        columns.append((highest, is_nodule.float()))
    wider = findings.clone()
    wider[..., 3] = diameters_mm(findings) + 4.0 * max(coarse)
    near = paint_masks(wider, shape, coarse) > 0
    background = logits.masked_fill(near, lowest).flatten(1).amax(dim=1)
    nothing = (logits.new_zeros(0), logits.new_zeros(0))
    highest, is_nodule = (torch.cat(parts) for parts in zip(*(columns or [nothing]), strict=True))
    return (highest, is_nodule), background
