"""Losses with ignored voxels and missing labels."""

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling import IGNORED, NODULE


def segmentation_loss(logits_BCZYX: Tensor, target_BZYX: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice over the batch; ignored voxels carry neither.

    Dice is taken over the whole batch, not per patch: most patches hold no nodule, and Dice of nothing is noise
    (Milletari et al., 3DV 2016, for the Dice loss itself).
    """
    logits = logits_BCZYX[:, 0].float()
    counted = (target_BZYX != IGNORED).float()
    nodule = (target_BZYX == NODULE).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, nodule, reduction="none")
    probability = torch.sigmoid(logits) * counted
    overlap = 2.0 * (probability * nodule).sum() + 1.0
    dice_loss = 1.0 - overlap / (probability.sum() + nodule.sum() + 1.0)
    return (entropy * counted).sum() / counted.sum().clamp(min=1.0) + dice_loss


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
