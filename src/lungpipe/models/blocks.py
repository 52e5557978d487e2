"""Building blocks of the 3D networks: normalised convolutions, residual blocks, voxel shuffle."""

import torch
from torch import Tensor, nn


class ConvNormReLU(nn.Sequential):
    """3x3x3 convolution, batch normalisation, ReLU.

    Batch normalisation rather than instance normalisation: a nodule's brightness against its surroundings is the
    signal, and at inference the layer folds into the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm3d(out_channels),
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
            nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm3d(out_channels)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm3d(out_channels)
            )

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Map (B, in, Z, Y, X) to (B, out, Z/stride, Y/stride, X/stride)."""
        return torch.relu(self.second(self.first(features_BCZYX)) + self.shortcut(features_BCZYX))


def block(in_channels: int, out_channels: int, *, is_residual: bool, stride: int = 1) -> nn.Module:
    """Return the residual or the plain block."""
    chosen = ResidualBlock if is_residual else PlainBlock
    return chosen(in_channels, out_channels, stride)


def voxel_shuffle(features_BCZYX: Tensor, factor: int) -> Tensor:
    """Rearrange (B, C*f^3, Z, Y, X) to (B, C, f*Z, f*Y, f*X): sub-pixel convolution in 3D (Shi et al., CVPR 2016)."""
    if factor == 1:
        return features_BCZYX
    batch, channels, z, y, x = features_BCZYX.shape
    split = features_BCZYX.view(batch, channels // factor**3, factor, factor, factor, z, y, x)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, z * factor, y * factor, x * factor)
