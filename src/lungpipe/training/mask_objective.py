"""Loss of a nodule mask: weighted cross-entropy plus soft Dice, with the same weight for every nodule."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling.batch import NODULE, PADDING
from lungpipe.sampling.targets import IGNORED, paint_masks
from lungpipe.settings.recipe.detector import MaskObjectiveSettings
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.objective import Outputs


class MaskObjective:
    """Cross-entropy plus soft Dice of the head `mask`; ignored voxels have no loss (docs/decisions/0003).

    With equal voxel weights a nodule of 4 mm has a hundredth of the weight of a nodule of 20 mm, and missing all small
    nodules costs almost nothing. So the voxels of a patch's nodules share `nodule_weight`, and Dice (Milletari et al.,
    3DV 2016) is computed for each patch with a nodule. Every sum over a patch is multiplied by the patch's weight.
    """

    def __init__(self, settings: MaskObjectiveSettings) -> None:
        self.settings = settings

    def counts(self, patches: TrainingPatches) -> Tensor:
        """Return (2,): weighted number of voxels that are not ignored, weighted number of patches with a nodule."""
        return self._counts(mask_targets(patches), patches.weight_B)

    def loss(self, outputs: Outputs, patches: TrainingPatches, counts: Tensor | None = None) -> Tensor:
        """Return the loss (scalar) of the logits `mask` (B, 1, Z, Y, X)."""
        target = mask_targets(patches)
        num_voxels, num_nodules = self._counts(target, patches.weight_B) if counts is None else counts
        entropy, dice = self._sums(outputs["mask"], target, patches.weight_B)
        return self.settings.entropy_weight * entropy / num_voxels.clamp(min=1.0) + dice / num_nodules.clamp(min=1e-6)

    def measure(self, outputs: Outputs, patches: TrainingPatches) -> dict[str, Tensor]:
        """Return overlap and sizes (voxels) of the masks at probability 0.5, and the loss's sums and counts."""
        target = mask_targets(patches)
        is_counted, is_nodule = target != IGNORED, target == NODULE
        is_found = (outputs["mask"][:, 0] > 0) & is_counted
        entropy, dice = self._sums(outputs["mask"], target, patches.weight_B)
        num_voxels, num_nodules = self._counts(target, patches.weight_B)
        totals = {
            "mask_overlap": (is_found & is_nodule).sum(),
            "mask_sizes": is_found.sum() + is_nodule.sum(),
            "mask_entropy": entropy,
            "mask_voxels": num_voxels,
            "mask_dice_loss": dice,
            "mask_nodules": num_nodules,
        }
        return {name: value.double() for name, value in totals.items()}

    def summary(self, totals: Mapping[str, Tensor]) -> dict[str, float]:
        """Return `score`, `validation_dice` and `validation_loss`."""
        total = {name: float(value) for name, value in totals.items() if name.startswith("mask_")}
        dice = 2.0 * total["mask_overlap"] / max(total["mask_sizes"], 1.0)
        loss = self.settings.entropy_weight * total["mask_entropy"] / max(total["mask_voxels"], 1.0)
        loss += total["mask_dice_loss"] / max(total["mask_nodules"], 1e-6)
        # Dice at 0.5 is 0 while all probabilities are low; the loss then ranks the checks
        return {"score": dice - 1e-3 * loss, "validation_dice": dice, "validation_loss": loss}

    def _counts(self, target_BZYX: Tensor, weight_B: Tensor) -> Tensor:
        voxels = (target_BZYX != IGNORED).sum(dim=(1, 2, 3), dtype=torch.float32)
        is_nodule = (target_BZYX == NODULE).flatten(1).any(dim=1)
        return torch.stack([(voxels * weight_B).sum(), (is_nodule * weight_B).sum()])

    def _sums(self, logits_BCZYX: Tensor, target_BZYX: Tensor, weight_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted sums of cross-entropy (over voxels) and of Dice loss (over patches with a nodule)."""
        logits = logits_BCZYX[:, 0].float()
        counted = (target_BZYX != IGNORED).float()
        nodule = (target_BZYX == NODULE).float()
        size = nodule.sum(dim=(1, 2, 3), keepdim=True)
        extra = (self.settings.nodule_weight / size.clamp(min=1.0)).clamp(max=self.settings.largest_weight)
        entropy = functional.binary_cross_entropy_with_logits(logits, nodule, reduction="none")
        entropy_B = (entropy * (counted + nodule * extra)).sum(dim=(1, 2, 3))
        probability = torch.sigmoid(logits) * counted
        overlap = 2.0 * (probability * nodule).sum(dim=(1, 2, 3)) + 1.0
        dice = overlap / (probability.sum(dim=(1, 2, 3)) + size.flatten() + 1.0)
        is_nodule = (size.flatten() > 0).float()
        return (entropy_B * weight_B).sum(), ((1.0 - dice) * is_nodule * weight_B).sum()


def mask_targets(patches: TrainingPatches) -> Tensor:
    """Return the target of the mask, uint8 (B, Z, Y, X): background, NODULE or IGNORED.

    Findings are painted as spheres. If a patch has an annotated mask, that mask replaces the spheres of the
    nodules whose centre is in the mask.
    """
    z_size, y_size, x_size = patches.hu_BCZYX.shape[2:]
    shape = (z_size, y_size, x_size)
    if patches.mask_BZYX is None:
        return paint_masks(patches.findings_BK5, shape, patches.spacing_zyx_mm)
    mask, findings = patches.mask_BZYX, patches.findings_BK5
    # axis by axis: a tensor made from a list of sizes would be copied from the host, which then waits for the device
    places = [findings[..., i] / patches.spacing_zyx_mm[i] + (shape[i] - 1) / 2 for i in range(3)]
    whole = [place.round() for place in places]
    is_inside = torch.stack([(index >= 0) & (index < shape[i]) for i, index in enumerate(whole)]).all(dim=0)
    z, y, x = (index.clamp(0, shape[i] - 1).long() for i, index in enumerate(whole))
    is_covered = mask.flatten(1).gather(1, (z * shape[1] + y) * shape[2] + x) > 0
    is_masked = is_inside & is_covered & (findings[..., 4] == NODULE)
    others = torch.cat([findings[..., :4], findings[..., 4:].masked_fill(is_masked[..., None], PADDING)], dim=-1)
    painted = paint_masks(others, shape, patches.spacing_zyx_mm)
    return painted.masked_fill(mask > 0, NODULE)
