"""The candidate classifier: a 3D ResNet with a nodule head and a malignancy head."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from lungpipe.models.blocks import ResidualBlock
from lungpipe.settings import ClassifierSettings


class Classifier(nn.Module):
    """3D ResNet: intensities (B, 1, Z, Y, X) to two logits (B, 2): nodule, and malignancy given a nodule.

    The head sees the middle of the last feature map beside its mean over the cube: a candidate sits in the middle, and
    a mean alone drowns a nodule of a few voxels (docs/decisions/0004).
    """

    NODULE, MALIGNANCY = 0, 1

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__()
        channels = (1, *settings.channels)
        self.stages = nn.Sequential(*(ResidualBlock(a, b, stride=2) for a, b in pairwise(channels)))
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * channels[-1], 2)

    def forward(self, patch_BCZYX: Tensor) -> Tensor:
        """Return the two logits of each cube."""
        features = self.stages(patch_BCZYX)
        middle = features[(..., *(_middle(size) for size in features.shape[2:]))]
        pooled = torch.cat([features.mean(dim=(2, 3, 4)), middle.mean(dim=(2, 3, 4))], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def _middle(size: int) -> slice:
    """Return the middle two of an even number of positions, the middle one of an odd number."""
    return slice((size - 1) // 2, size // 2 + 1)
