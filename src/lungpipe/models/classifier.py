"""The candidate classifier: a 3D ResNet with a nodule head and a malignancy head."""

from itertools import pairwise

from torch import Tensor, nn

from lungpipe.models.blocks import ResidualBlock
from lungpipe.settings import ClassifierSettings


class Classifier(nn.Module):
    """3D ResNet: intensities (B, 1, Z, Y, X) to two logits (B, 2): nodule, and malignancy given a nodule."""

    NODULE, MALIGNANCY = 0, 1

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__()
        channels = (1, *settings.channels)
        self.stages = nn.Sequential(*(ResidualBlock(a, b, stride=2) for a, b in pairwise(channels)))
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(channels[-1], 2)

    def forward(self, patch_BCZYX: Tensor) -> Tensor:
        """Return the two logits of each cube."""
        pooled = self.stages(patch_BCZYX).mean(dim=(2, 3, 4))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
