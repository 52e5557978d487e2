"""2D U-Net on every slice of a patch, with the neighbouring slices as channels: one nodule logit per voxel."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models.batch_norm import BatchNorm3d
from lungpipe.models.blocks import PRIOR_LOGIT, check_sides
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import SliceUNetSettings

IN_PLANE = (1, 2, 2)
"""Stride and kernel (zyx) of pooling and of its inverse: slices stay apart."""


class SliceBlock(nn.Sequential):
    """Two 3x3 convolutions with batch normalisation and ReLU; `depth` slices enter the first of them."""

    def __init__(self, in_channels: int, out_channels: int, depth: int = 1) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, (depth, 3, 3), padding=(0, 1, 1), bias=False),
            BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv3d(out_channels, out_channels, (1, 3, 3), padding=(0, 1, 1), bias=False),
            BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
        )


class SliceUNet(nn.Module):
    """2D U-Net of *Deep Learning with PyTorch* (Stevens, Antiga and Viehmann, ch. 13) on every slice of a 3D patch.

    HU (B, 1, Z, Y, X) to `mask`, nodule logits (B, 1, Z, Y, X). The channels of slice z are the slices
    z - context_slices to z + context_slices; outside the patch its first and last slice are repeated. All kernels are
    3D with a depth of one slice, so a patch of Z slices is a batch of Z images; only the first convolution is
    2 * context_slices + 1 slices deep, which equals these slices as channels. Y and X must be multiples of the
    settings' `total_stride`, and so must Z, since tiles are cubes.
    """

    def __init__(self, settings: SliceUNetSettings) -> None:
        super().__init__()
        self.total_stride, self.context_slices, channels = (
            settings.total_stride,
            settings.context_slices,
            settings.channels,
        )
        self.intensity = Intensity(settings)
        levels = list(pairwise(channels))
        first = SliceBlock(self.intensity.num_channels, channels[0], depth=2 * self.context_slices + 1)
        self.encoder = nn.ModuleList([first, *(SliceBlock(finer, coarser) for finer, coarser in levels)])
        self.pool = nn.MaxPool3d(IN_PLANE)
        self.rise = nn.ModuleList(nn.ConvTranspose3d(b, a, IN_PLANE, stride=IN_PLANE) for a, b in reversed(levels))
        self.decoder = nn.ModuleList(SliceBlock(2 * finer, finer) for finer, _ in reversed(levels))
        self.head = nn.Conv3d(channels[0], 1, 1)
        nn.init.constant_(self.head.bias, PRIOR_LOGIT)  # type: ignore[arg-type]

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return the mask's logits; raises ValueError for sides that are no multiples of `total_stride`."""
        check_sides(hu_BCZYX, self.total_stride, "slice U-Net")
        depth = self.context_slices
        features = functional.pad(self.intensity(hu_BCZYX), (0, 0, 0, 0, depth, depth), mode="replicate")
        skips: list[Tensor] = []
        for level, stage in enumerate(self.encoder):
            features = stage(self.pool(features) if level else features)
            skips.append(features)
        for rise, stage, skip in zip(self.rise, self.decoder, reversed(skips[:-1]), strict=True):
            features = stage(torch.cat([rise(features), skip], dim=1))
        return {"mask": self.head(features)}
