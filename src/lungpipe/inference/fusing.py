"""Rebuild a trained network for inference: the same logits from fewer products and fewer passes over memory."""

import copy
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from lungpipe.inference.folding import fold_batch_norm
from lungpipe.inference.fused_center_net import FusedCenterNet
from lungpipe.inference.fused_convolution import DoubledConvolution, FusedConvolution
from lungpipe.inference.fused_intensity import FusedIntensity
from lungpipe.models import Hardware
from lungpipe.models.blocks import ConvNormReLU, ResidualBlock
from lungpipe.models.center_net import CenterNet
from lungpipe.models.intensity import Intensity
from lungpipe.models.trunk import Trunk


def fuse_network(network: nn.Module, hardware: Hardware) -> nn.Module:
    """Return a copy in evaluation mode, on the hardware and in its dtype; results differ by rounding alone.

    Batch normalisation, ReLU and the sum of a residual block become parts of the convolution before. Decoders convolve
    features before they are doubled (see `DoubledConvolution`).
    """
    return hardware.place(_fuse(fold_batch_norm(network), hardware))


def _fuse(module: nn.Module, hardware: Hardware) -> nn.Module:
    match module:
        case CenterNet():
            for name in ("intensity", "stem", "trunk", "neck"):
                setattr(module, name, _fuse(getattr(module, name), hardware))
            return FusedCenterNet(module, hardware)
        case Intensity():
            return FusedIntensity(module)
        case Trunk():
            return FusedTrunk(module, hardware)
        case ResidualBlock():
            return FusedResidual(module, hardware)
        case ConvNormReLU():
            return _convolution(module, hardware, has_relu=True)
        case nn.Conv3d() if module.groups == 1 and set(module.dilation) == {1} and module.padding_mode == "zeros":
            return FusedConvolution(module, hardware)
    for name, child in module.named_children():
        setattr(module, name, _fuse(child, hardware))
    return module


class FusedResidual(nn.Module):
    """A residual block."""

    def __init__(self, block: ResidualBlock, hardware: Hardware) -> None:
        super().__init__()
        self.first = _convolution(block.first, hardware, has_relu=True)
        self.second = _convolution(block.second, hardware, has_relu=True)
        self.shortcut = block.shortcut
        if isinstance(block.shortcut, nn.Sequential):
            self.shortcut = _convolution(block.shortcut, hardware)

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Map (B, in, Z, Y, X) to (B, out, Z/stride, Y/stride, X/stride)."""
        return self.second(self.first(features_BCZYX), self.shortcut(features_BCZYX))


class FusedDecoder(nn.Module):
    """A decoder's block on doubled coarse features beside those of the skip connection, without concatenation."""

    def __init__(self, block: nn.Module, hardware: Hardware) -> None:
        """Split the weights of a residual or plain block: the coarse features are its first channels."""
        super().__init__()
        first, second = (block.first, block.second) if isinstance(block, ResidualBlock) else block.children()
        convolution = _first(first)
        # a decoder returns as many channels as the skip connection has
        coarser = convolution.in_channels - convolution.out_channels
        of_coarse, of_skip = _split(convolution, coarser)
        self.first_coarse = DoubledConvolution(of_coarse, hardware)
        self.first_skip = FusedConvolution(of_skip, hardware, has_relu=True)
        self.second = _convolution(second, hardware, has_relu=True)
        self.is_residual = isinstance(block, ResidualBlock)
        if isinstance(block, ResidualBlock):
            of_coarse, of_skip = _split(_first(block.shortcut), coarser)
            self.shortcut_coarse = FusedConvolution(of_coarse, hardware)
            self.shortcut_skip = FusedConvolution(of_skip, hardware)

    def forward(self, coarse_BCZYX: Tensor, skip_BCZYX: Tensor) -> Tensor:
        """Map (B, coarser, z, y, x) and (B, finer, 2z, 2y, 2x) to (B, finer, 2z, 2y, 2x)."""
        features = self.first_skip(skip_BCZYX, self.first_coarse(coarse_BCZYX))
        if not self.is_residual:
            return self.second(features)
        doubled = functional.interpolate(self.shortcut_coarse(coarse_BCZYX), scale_factor=2.0, mode="nearest")
        return self.second(features, self.shortcut_skip(skip_BCZYX, doubled))


class FusedTrunk(nn.Module):
    """A trunk."""

    def __init__(self, trunk: Trunk, hardware: Hardware) -> None:
        super().__init__()
        self.reduce = nn.ModuleList([_fuse(layer, hardware) for layer in trunk.reduce])
        fuse = _fuse if trunk.reduce else FusedDecoder
        self.decoder = nn.ModuleList([fuse(stage, hardware) for stage in trunk.decoder])
        self.encoder = nn.ModuleList([_fuse(stage, hardware) for stage in trunk.encoder])

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Return (B, channels[0], ...) features of the finest level."""
        features, skips = features_BCZYX, []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        for level, (stage, skip) in enumerate(zip(self.decoder, reversed(skips[:-1]), strict=True)):
            if self.reduce:
                coarser = self.reduce[level](features)
                features = stage(functional.interpolate(coarser, scale_factor=2.0, mode="nearest").add_(skip))
            else:
                features = stage(features, skip)
        return features


def _convolution(folded: nn.Module, hardware: Hardware, *, has_relu: bool = False) -> FusedConvolution:
    """Return the convolution with which a sequence begins whose batch normalisation is folded."""
    return FusedConvolution(_first(folded), hardware, has_relu=has_relu)


def _first(sequence: nn.Module) -> nn.Conv3d:
    return cast("nn.Conv3d", cast("nn.Sequential", sequence)[0])


def _split(convolution: nn.Conv3d, channels: int) -> tuple[nn.Conv3d, nn.Conv3d]:
    """Return the convolutions of the first `channels` input channels, without a bias, and of the others."""
    parts = []
    for weight, bias in (
        (convolution.weight[:, :channels], None),
        (convolution.weight[:, channels:], convolution.bias),
    ):
        part = copy.deepcopy(convolution)
        part.in_channels, part.bias = weight.shape[1], bias
        part.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
        parts.append(part)
    return parts[0], parts[1]
