"""3D ResNet that scores a candidate: a nodule head and a malignancy head."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from lungpipe.models.blocks import ResidualBlock
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import ResNetSettings


class ResNet(nn.Module):
    """3D ResNet: HU (B, 1, Z, Y, X) to the logits `nodule` (B,) and `malignancy` (B,), given that it is a nodule.

    The heads see the middle of the last feature map beside its mean over the patch: a candidate sits in the middle,
    and a mean alone drowns a nodule of a few voxels (docs/decisions/0004).
    """

    def __init__(self, settings: ResNetSettings) -> None:
        super().__init__()
        self.intensity = Intensity(settings)
        channels = (self.intensity.num_channels, *settings.channels)
        self.stages = nn.Sequential(*(ResidualBlock(a, b, stride=2) for a, b in pairwise(channels)))
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(2 * channels[-1], 2)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return both logits of each patch."""
        features = self.stages(self.intensity(hu_BCZYX))
        middle = features[(..., *(_middle(size) for size in features.shape[2:]))]
        pooled = torch.cat([features.mean(dim=(2, 3, 4)), middle.mean(dim=(2, 3, 4))], dim=1)
        nodule, malignancy = self.head(self.dropout(pooled)).unbind(dim=1)
        return {"nodule": nodule, "malignancy": malignancy}


def _middle(size: int) -> slice:
    """Return the middle two of an even number of positions, the middle one of an odd number."""
    return slice((size - 1) // 2, size // 2 + 1)
