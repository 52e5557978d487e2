"""Plain 3D CNN that scores a candidate: three convolutions with pooling, three dense layers."""

from itertools import pairwise

from torch import Tensor, nn

from lungpipe.models.blocks import ConvNormReLU
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import Cnn3dSettings

POOLED_SIDE = 4
"""Side of the feature map of a patch of 32 voxels, for which the dense layers are built; other patches are averaged."""


class Cnn3d(nn.Module):
    """3D CNN: HU (B, 1, Z, Y, X) to the logits `nodule` (B,) and `malignancy` (B,), given that it is a nodule."""

    def __init__(self, settings: Cnn3dSettings) -> None:
        super().__init__()
        self.intensity = Intensity(settings)
        channels = (self.intensity.num_channels, *settings.channels)
        self.convolutions = nn.Sequential(
            *(nn.Sequential(ConvNormReLU(a, b), nn.MaxPool3d(2)) for a, b in pairwise(channels))
        )
        self.pool = nn.AdaptiveAvgPool3d(POOLED_SIDE)
        wide, narrow = settings.hidden
        self.dense = nn.Sequential(
            nn.Linear(channels[-1] * POOLED_SIDE**3, wide), nn.ReLU(), nn.Linear(wide, narrow), nn.ReLU()
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(narrow, 2)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return both logits of each patch."""
        features = self.pool(self.convolutions(self.intensity(hu_BCZYX)))
        nodule, malignancy = self.head(self.dropout(self.dense(features.flatten(1)))).unbind(dim=1)
        return {"nodule": nodule, "malignancy": malignancy}
