"""Encoder and decoder with skip connections, which the U-Net and the centre detector share."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models.blocks import block


class Trunk(nn.Module):
    """U-shaped trunk: halve the resolution level by level, then return to that of the first level.

    `first` maps the input to the finest level, `channels` are those of all levels, finest first.
    """

    def __init__(self, first: nn.Module, channels: tuple[int, ...], *, is_residual: bool) -> None:
        super().__init__()
        levels = list(pairwise(channels))
        self.encoder = nn.ModuleList([first])
        self.encoder.extend(block(finer, coarser, is_residual=is_residual, stride=2) for finer, coarser in levels)
        self.decoder = nn.ModuleList(
            block(coarser + finer, finer, is_residual=is_residual) for finer, coarser in reversed(levels)
        )

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Return (B, channels[0], ...) features of the finest level."""
        features, skips = features_BCZYX, []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        for stage, skip in zip(self.decoder, reversed(skips[:-1]), strict=True):
            features = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = stage(torch.cat([features, skip], dim=1))
        return features
