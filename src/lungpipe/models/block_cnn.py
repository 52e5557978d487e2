"""Small 3D CNN that scores a candidate: blocks of two convolutions, and blocks that malignancy has for itself."""

from itertools import pairwise

from torch import Tensor, nn

from lungpipe.models.batch_norm import BatchNorm3d
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import BlockCnnSettings

POOLED_SIDE = 2
"""Side of the feature map of a patch of 32 voxels after four blocks; the map of another patch is averaged to it."""


class ConvBlock(nn.Sequential):
    """Two 3x3x3 convolutions with ReLU, then 2x pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv3d(out_channels, out_channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool3d(2),
        )
        for layer in (self[0], self[2]):
            # no normalisation follows: the initial weights keep the features' variance (He et al., ICCV 2015)
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class BlockCnn(nn.Module):
    """3D CNN of *Deep Learning with PyTorch* (Stevens, Antiga and Viehmann, ch. 11 and 14), on HU (B, 1, Z, Y, X).

    Returns the logits `nodule` (B,) and `malignancy` (B,), given that it is a nodule. Both share the first blocks. The
    last `tuned_blocks` blocks and the dense layer exist twice, once for each logit, so that malignancy can be
    fine-tuned while the nodule logits stay the same to the bit (`lungpipe.training.fine_tune`).
    """

    tuned_parts = ("malignancy_blocks", "malignancy_head")
    """Names of the modules that fine-tuning trains."""

    def __init__(self, settings: BlockCnnSettings) -> None:
        super().__init__()
        self.intensity = Intensity(settings)
        channels = (self.intensity.num_channels, *settings.channels)
        self.normalise = BatchNorm3d(self.intensity.num_channels)
        blocks = [ConvBlock(a, b) for a, b in pairwise(channels)]
        num_shared = len(blocks) - settings.tuned_blocks
        self.shared_blocks = nn.Sequential(*blocks[:num_shared])
        self.nodule_blocks = nn.Sequential(*blocks[num_shared:])
        self.malignancy_blocks = nn.Sequential(*(ConvBlock(a, b) for a, b in list(pairwise(channels))[num_shared:]))
        self.pool = nn.AdaptiveAvgPool3d(POOLED_SIDE)
        self.nodule_head = nn.Linear(channels[-1] * POOLED_SIDE**3, 1)
        self.malignancy_head = nn.Linear(channels[-1] * POOLED_SIDE**3, 1)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return both logits of each patch."""
        shared = self.shared_blocks(self.normalise(self.intensity(hu_BCZYX)))
        return {
            "nodule": self.nodule_head(self.pool(self.nodule_blocks(shared)).flatten(1))[:, 0],
            "malignancy": self.malignancy_head(self.pool(self.malignancy_blocks(shared)).flatten(1))[:, 0],
        }

    def start_tuning(self) -> None:
        """Copy the trained last blocks to those of malignancy; the malignancy head keeps its random weights."""
        self.malignancy_blocks.load_state_dict(self.nodule_blocks.state_dict())
