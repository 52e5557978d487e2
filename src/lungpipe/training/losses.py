"""Losses with ignored voxels and missing labels."""

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling import IGNORED, NODULE

NODULE_WEIGHT = 2000.0
"""What the voxels of a nodule weigh together, in background voxels."""
LARGEST_WEIGHT = 100.0
"""What one voxel weighs at most: below 20 voxels a mask is mostly partial volume."""
ENTROPY_WEIGHT = 5.0
"""Cross-entropy beside Dice: brings the two to the same size where training spends its time."""


def segmentation_loss(logits_BCZYX: Tensor, target_BZYX: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice, in which every nodule counts the same; ignored voxels carry neither.

    Left alone, a nodule of 4 mm weighs a hundredth of one of 20 mm, and a network that misses every small one is
    almost right. So nodule voxels share NODULE_WEIGHT per patch, and Dice is taken patch by patch over those with a
    nodule (Milletari et al., 3DV 2016, for the Dice loss itself).
    """
    logits = logits_BCZYX[:, 0].float()
    counted = (target_BZYX != IGNORED).float()
    nodule = (target_BZYX == NODULE).float()
    size = nodule.sum(dim=(1, 2, 3), keepdim=True)
    weight = counted + nodule * (NODULE_WEIGHT / size.clamp(min=1.0)).clamp(max=LARGEST_WEIGHT)
    entropy = functional.binary_cross_entropy_with_logits(logits, nodule, reduction="none")
    probability = torch.sigmoid(logits) * counted
    overlap = 2.0 * (probability * nodule).sum(dim=(1, 2, 3)) + 1.0
    dice = overlap / (probability.sum(dim=(1, 2, 3)) + size.flatten() + 1.0)
    is_judged = (size.flatten() > 0).float()
    dice_loss = ((1.0 - dice) * is_judged).sum() / is_judged.sum().clamp(min=1.0)
    return ENTROPY_WEIGHT * (entropy * weight).sum() / counted.sum().clamp(min=1.0) + dice_loss


def dice_parts(logits_BCZYX: Tensor, target_BZYX: Tensor) -> tuple[float, float]:
    """Return twice the overlap and the sum of sizes (voxels) of the mask at 0.5 and the target."""
    counted = target_BZYX != IGNORED
    found = (logits_BCZYX[:, 0] > 0) & counted
    nodule = target_BZYX == NODULE
    return 2.0 * float((found & nodule).sum()), float(found.sum() + nodule.sum())


def classification_loss(logits_BC: Tensor, is_nodule_B: Tensor, malignancy_B: Tensor, weight: float) -> Tensor:
    """Return nodule cross-entropy plus `weight` x malignancy cross-entropy where that label is known (not NaN)."""
    nodule = functional.binary_cross_entropy_with_logits(logits_BC[:, 0].float(), is_nodule_B.float())
    known = ~torch.isnan(malignancy_B)
    if weight == 0 or not bool(known.any()):
        return nodule
    malignancy = functional.binary_cross_entropy_with_logits(logits_BC[known, 1].float(), malignancy_B[known])
    return nodule + weight * malignancy
