"""Centre detector: heat map, offset and diameter at a coarse stride, and a mask at full resolution."""

import torch
from torch import Tensor, nn

from lungpipe.models.blocks import PRIOR_LOGIT, ConvNormReLU, block, check_sides, voxel_shuffle
from lungpipe.models.intensity import Intensity
from lungpipe.models.trunk import Trunk
from lungpipe.settings.recipe import CenterNetSettings

STEM_STRIDE = 2


class CenterNet(nn.Module):
    """Centre detector (objects as points: Zhou, Wang and Kraehenbuehl, 2019) in 3D, on HU (B, 1, Z, Y, X).

    Returns logits `heatmap` (B, 1, z, y, x), `offset` (B, 3, z, y, x; zyx, voxels from the coarse voxel's centre),
    `diameter` (B, 1, z, y, x; log(mm / 10)) and `mask` (B, 1, Z, Y, X), with z = Z / output_stride. Z, Y and X must be
    multiples of the settings' `total_stride`. No layer computes at full resolution: the stem has stride 2, and the
    mask is computed from trunk and stem features at that stride, then shuffled to full resolution.
    """

    def __init__(self, settings: CenterNetSettings) -> None:
        super().__init__()
        self.total_stride, channels = settings.total_stride, settings.channels
        self.intensity = Intensity(settings)
        width = max(channels[0] // 2, 4)
        self.stem = ConvNormReLU(self.intensity.num_channels, width, stride=STEM_STRIDE)
        self.factor = settings.output_stride // STEM_STRIDE
        first = block(width, channels[0], is_residual=settings.is_residual, stride=self.factor)
        adds_skips = settings.skips == "add"
        self.trunk = Trunk(first, channels, is_residual=settings.is_residual, adds_skips=adds_skips)
        self.neck = ConvNormReLU(channels[0], channels[0])
        self.heatmap = nn.Conv3d(channels[0], 1, 1)
        self.offset = nn.Conv3d(channels[0], 3, 1)
        self.diameter = nn.Conv3d(channels[0], 1, 1)
        self.mask_context = nn.Conv3d(channels[0], width * self.factor**3, 1)
        self.mask_fusion = nn.Conv3d(2 * width, width, 1)
        self.mask = nn.Conv3d(width, STEM_STRIDE**3, 1)
        for head in (self.heatmap, self.mask):
            nn.init.constant_(head.bias, PRIOR_LOGIT)  # type: ignore[arg-type]

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return all four heads; raises ValueError for sides that are not multiples of `total_stride`."""
        check_sides(hu_BCZYX, self.total_stride, "centre detector")
        fine = self.stem(self.intensity(hu_BCZYX))
        features = self.neck(self.trunk(fine))
        context = voxel_shuffle(self.mask_context(features), self.factor)
        fused = torch.relu(self.mask_fusion(torch.cat([context, fine], dim=1)))
        return {
            "heatmap": self.heatmap(features),
            "offset": self.offset(features),
            "diameter": self.diameter(features),
            "mask": voxel_shuffle(self.mask(fused), STEM_STRIDE),
        }
