"""The voxel segmenter: a 3D U-Net whose first convolution may stride and whose mask is shuffled back to full size."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models.blocks import block, voxel_shuffle
from lungpipe.settings import SegmenterSettings

PRIOR_LOGIT = -4.0
"""Start where almost every voxel is background, or the first steps only learn that (Lin et al., ICCV 2017)."""


class Segmenter(nn.Module):
    """3D U-Net: intensities (B, 1, Z, Y, X) to nodule logits (B, 1, Z, Y, X).

    Z, Y and X must be divisible by `total_stride`. With `stem_stride` 2 the whole network runs on an eighth of the
    voxels, and sub-voxel shuffling returns the mask to full resolution.
    """

    def __init__(self, settings: SegmenterSettings) -> None:
        super().__init__()
        channels, self.stem_stride = settings.channels, settings.stem_stride
        residual = settings.is_residual
        self.encoder = nn.ModuleList([block(1, channels[0], is_residual=residual, stride=self.stem_stride)])
        for finer, coarser in pairwise(channels):
            self.encoder.append(block(finer, coarser, is_residual=residual, stride=2))
        self.decoder = nn.ModuleList(
            block(coarser + finer, finer, is_residual=residual) for finer, coarser in reversed(list(pairwise(channels)))
        )
        self.head = nn.Conv3d(channels[0], self.stem_stride**3, 1)
        nn.init.constant_(self.head.bias, PRIOR_LOGIT)  # type: ignore[arg-type]

    @property
    def total_stride(self) -> int:
        """Number that every side of the input must be divisible by."""
        return int(self.stem_stride * 2 ** (len(self.encoder) - 1))

    def forward(self, patch_BCZYX: Tensor) -> Tensor:
        """Return nodule logits of the patch's own size; raises ValueError for sides not divisible by `total_stride`."""
        if any(side % self.total_stride for side in patch_BCZYX.shape[2:]):
            found = tuple(patch_BCZYX.shape[2:])
            raise ValueError(f"segmenter: expected sides (zyx) divisible by {self.total_stride} voxels, found {found}")
        features, skips = patch_BCZYX, []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        for stage, skip in zip(self.decoder, reversed(skips[:-1]), strict=True):
            features = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = stage(torch.cat([features, skip], dim=1))
        return voxel_shuffle(self.head(features), self.stem_stride)
