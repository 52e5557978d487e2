"""Convolutions with all that follows them in one pass over memory, for inference."""

from itertools import product
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models import Hardware


class FusedConvolution(nn.Module):
    """Convolution, bias, an addend where one is given, and ReLU where it is asked for, in the hardware's dtype.

    On CPUs oneDNN is called directly. `torch.nn.functional.conv3d` (2.13) leaves small float32 inputs of batch 1 to
    another routine, which takes four times as long, and ReLU and addend would each pass over the memory again.
    """

    def __init__(self, convolution: nn.Conv3d, hardware: Hardware, *, has_relu: bool = False) -> None:
        """Copy weights and bias; `convolution` has neither groups nor dilation, and pads with zeros."""
        super().__init__()
        self.stride, self.has_relu = list(convolution.stride), has_relu
        self.padding = [int(side) for side in convolution.padding]
        self.memory_format = hardware.memory_format
        self.weight = nn.Parameter(convolution.weight.detach(), requires_grad=False)
        self.bias = None if convolution.bias is None else nn.Parameter(convolution.bias.detach(), requires_grad=False)
        self.to(device=hardware.device, dtype=hardware.dtype, memory_format=hardware.memory_format)  # type: ignore[call-overload]
        self.has_onednn = _has_onednn(hardware)

    def forward(self, features_BCZYX: Tensor, addend_BCZYX: Tensor | None = None) -> Tensor:
        """Return the convolution of (B, C, Z, Y, X) features, plus an addend of the result's shape."""
        features = features_BCZYX.to(self.weight.dtype)
        where = (self.padding, self.stride, [1, 1, 1], 1)
        if addend_BCZYX is not None:
            addend = addend_BCZYX.contiguous(memory_format=self.memory_format)
        if not self.has_onednn:
            result = functional.conv3d(features, self.weight, self.bias, self.stride, self.padding)
            result = result if addend_BCZYX is None else result + addend
            return torch.relu_(result) if self.has_relu else result
        onednn = torch.ops.mkldnn._convolution_pointwise  # no public name does this
        if addend_BCZYX is None:
            relu = "relu" if self.has_relu else "none"
            return cast("Tensor", onednn(features, self.weight, self.bias, *where, relu, [], ""))
        after: tuple[object, ...] = ("add", 1.0, "relu" if self.has_relu else None, [], None)
        return cast("Tensor", onednn.binary(features, addend, self.weight, self.bias, *where, *after))


class DoubledConvolution(nn.Module):
    """A 3x3x3 convolution of features doubled by nearest-neighbour interpolation, computed before they are doubled.

    Each of the eight fine voxels of a coarse voxel sees 2x2x2 coarse voxels, so that 8 products remain of 27. One
    convolution computes all eight, and their results are sorted into the fine voxels.
    """

    def __init__(self, convolution: nn.Conv3d, hardware: Hardware) -> None:
        """Copy the weights of a convolution (3x3x3, padding 1, stride 1, no bias)."""
        super().__init__()
        self.out_channels, self.memory_format = convolution.out_channels, hardware.memory_format
        shape = (convolution.in_channels, 8 * self.out_channels)
        coarse = nn.Conv3d(*shape, 2, padding=1, bias=False)
        coarse.weight = nn.Parameter(_add_doubled(convolution.weight.detach()), requires_grad=False)
        self.coarse = FusedConvolution(coarse, hardware)

    def forward(self, coarse_BCZYX: Tensor) -> Tensor:
        """Map (B, C, z, y, x) to (B, out, 2z, 2y, 2x)."""
        batch, _, *sides = coarse_BCZYX.shape
        phases = self.coarse(coarse_BCZYX).unflatten(1, (8, self.out_channels))
        shape = (batch, self.out_channels, *(2 * side for side in sides))
        fine = torch.empty(shape, dtype=phases.dtype, device=phases.device, memory_format=self.memory_format)
        z, y, x = sides
        for number, (low_z, low_y, low_x) in enumerate(product((0, 1), repeat=3)):
            place = (slice(low_z, low_z + z), slice(low_y, low_y + y), slice(low_x, low_x + x))
            fine[:, :, low_z::2, low_y::2, low_x::2] = phases[(slice(None), number, slice(None), *place)]
        return fine


def _add_doubled(weight: Tensor) -> Tensor:
    """Return the weights (8 * out, in, 2, 2, 2) of the eight fine voxels from those (out, in, 3, 3, 3) on fine voxels.

    Along one axis, fine voxel 2i sees the coarse voxels i-1, i, i; fine voxel 2i + 1 sees i, i, i+1.
    """
    taps = weight.new_tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
    summed = torch.einsum("azi,byj,cxk,oqijk->abcoqzyx", taps, taps, taps, weight)
    return summed.reshape(-1, weight.shape[1], 2, 2, 2)


def _has_onednn(hardware: Hardware) -> bool:
    if hardware.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return hardware.dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
