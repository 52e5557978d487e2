"""Building blocks of the 3D networks: normalised convolutions, residual blocks, stem, voxel shuffle."""

import torch
from torch import Tensor, nn

from lungpipe.models.batch_norm import BatchNorm3d

PRIOR_LOGIT = -4.0
"""Bias of a new mask or heat map: almost every voxel is background (Lin et al., ICCV 2017)."""


class ConvNormReLU(nn.Sequential):
    """3x3x3 convolution, batch normalisation, ReLU.

    Batch normalisation rather than instance normalisation: the brightness of a nodule against its surroundings is
    the signal, and at inference the layer can be folded into the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
        )


class PlainBlock(nn.Sequential):
    """Two convolutions, as in the 3D U-Net (Cicek et al., MICCAI 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(ConvNormReLU(in_channels, out_channels, stride), ConvNormReLU(out_channels, out_channels))


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut (He et al., CVPR 2016), 1x1x1 where channels or stride change."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNormReLU(in_channels, out_channels, stride)
        self.second = nn.Sequential(
            nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False), BatchNorm3d(out_channels)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride=stride, bias=False), BatchNorm3d(out_channels)
            )

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Map (B, in, Z, Y, X) to (B, out, Z/stride, Y/stride, X/stride)."""
        return torch.relu(self.second(self.first(features_BCZYX)) + self.shortcut(features_BCZYX))


def block(in_channels: int, out_channels: int, *, is_residual: bool, stride: int = 1) -> nn.Module:
    """Return the residual or the plain block."""
    chosen = ResidualBlock if is_residual else PlainBlock
    return chosen(in_channels, out_channels, stride)


def stem(in_channels: int, out_channels: int, *, is_residual: bool, stride: int) -> nn.Module:
    """Return the first block of a network, for a stride of 1, 2 or 4.

    A stride of 4 folds every 2x2x2 voxels into channels and strides by 2: a 3x3x3 kernel with stride 4 would skip
    voxels.
    """
    if stride <= 2:
        return block(in_channels, out_channels, is_residual=is_residual, stride=stride)
    folded = block(8 * in_channels, out_channels, is_residual=is_residual, stride=stride // 2)
    return nn.Sequential(VoxelUnshuffle(2), folded)


class VoxelUnshuffle(nn.Module):
    """Fold every f x f x f voxels into channels: the inverse of `voxel_shuffle`."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Map (B, C, f*Z, f*Y, f*X) to (B, C*f^3, Z, Y, X)."""
        factor, (batch, channels, *sides) = self.factor, features_BCZYX.shape
        z, y, x = (side // factor for side in sides)
        split = features_BCZYX.reshape(batch, channels, z, factor, y, factor, x, factor)
        return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, -1, z, y, x)


def voxel_shuffle(features_BCZYX: Tensor, factor: int) -> Tensor:
    """Rearrange (B, C*f^3, Z, Y, X) to (B, C, f*Z, f*Y, f*X): sub-pixel convolution in 3D (Shi et al., CVPR 2016)."""
    if factor == 1:
        return features_BCZYX
    batch, channels, z, y, x = features_BCZYX.shape
    split = features_BCZYX.view(batch, channels // factor**3, factor, factor, factor, z, y, x)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, z * factor, y * factor, x * factor)


def pool_with_middle(features_BCZYX: Tensor) -> Tensor:
    """Return (B, 2 C): the mean over the map, then the mean over its middle.

    The middle is two positions along an axis of even length, and one of odd length. A candidate sits in the middle, and
    a mean over the whole map alone drowns a nodule of a few voxels (docs/decisions/0004).
    """
    z, y, x = (_middle(size) for size in features_BCZYX.shape[2:])
    middle = features_BCZYX[..., z, y, x]
    return torch.cat([features_BCZYX.mean(dim=(2, 3, 4)), middle.mean(dim=(2, 3, 4))], dim=1)


def _middle(size: int) -> slice:
    return slice((size - 1) // 2, size // 2 + 1)


def check_sides(features_BCZYX: Tensor, total_stride: int, network: str) -> None:
    """Raise ValueError for sides (zyx) that are not multiples of the network's total stride."""
    if any(side % total_stride for side in features_BCZYX.shape[2:]):
        found = tuple(features_BCZYX.shape[2:])
        raise ValueError(f"{network}: expected sides (zyx) divisible by {total_stride} voxels, found {found}")
