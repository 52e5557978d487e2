"""Encoder and decoder with skip connections, which the U-Net and the centre detector share."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models.blocks import block


class Trunk(nn.Module):
    """U-shaped trunk: halve the resolution level by level, then return to that of the first level.

    `first` maps the input to the finest level, `channels` are those of all levels, finest first. A level of the
    decoder joins the coarser level and the encoder's features of its own resolution: by concatenation (U-Net), or
    (`adds_skips`) by a sum after a 1x1x1 convolution of the coarser level (Lin et al.: Feature Pyramid Networks, CVPR
    2017), which computes a third less.
    """

    def __init__(
        self, first: nn.Module, channels: tuple[int, ...], *, is_residual: bool, adds_skips: bool = False
    ) -> None:
        super().__init__()
        levels = list(pairwise(channels))
        self.encoder = nn.ModuleList([first])
        self.encoder.extend(block(finer, coarser, is_residual=is_residual, stride=2) for finer, coarser in levels)
        self.reduce = nn.ModuleList(nn.Conv3d(coarser, finer, 1) for finer, coarser in reversed(levels) if adds_skips)
        self.decoder = nn.ModuleList(
            block(finer if adds_skips else coarser + finer, finer, is_residual=is_residual)
            for finer, coarser in reversed(levels)
        )

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Return (B, channels[0], ...) features of the finest level."""
        features, skips = features_BCZYX, []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        for level, (stage, skip) in enumerate(zip(self.decoder, reversed(skips[:-1]), strict=True)):
            coarser = self.reduce[level](features) if self.reduce else features
            wider = functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
            features = stage(wider + skip if self.reduce else torch.cat([wider, skip], dim=1))
        return features
