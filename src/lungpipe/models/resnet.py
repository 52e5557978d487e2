"""3D ResNet that scores a candidate: a nodule head and a malignancy head."""

from itertools import pairwise

from torch import Tensor, nn

from lungpipe.models.blocks import ResidualBlock, pool_with_middle
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import ResNetSettings


class ResNet(nn.Module):
    """3D ResNet: HU (B, 1, Z, Y, X) to the logits `nodule` (B,) and `malignancy` (B,), given that it is a nodule.

    The heads see the middle of the last feature map beside its mean over the patch (docs/decisions/0004).
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
        nodule, malignancy = self.head(self.dropout(pool_with_middle(features))).unbind(dim=1)
        return {"nodule": nodule, "malignancy": malignancy}
