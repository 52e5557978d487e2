"""The centre detector rebuilt for inference: three heads in one convolution, and a mask that stays folded."""

import torch
from torch import Tensor, nn

from lungpipe.inference.fused_convolution import FusedConvolution
from lungpipe.models import Hardware
from lungpipe.models.blocks import voxel_shuffle
from lungpipe.models.center_net import CenterNet


class FusedCenterNet(nn.Module):
    """A centre detector whose stem, trunk and neck are fused already; the same logits as `CenterNet`, up to rounding.

    The mask keeps the 8 voxels of every 2x2x2 block as channels (B, 8, Z/2, Y/2, X/2): `voxel_shuffle` with a factor of
    2 gives the mask of `CenterNet`. A search reads the mask near peaks only, and unfolds no more than that.
    """

    def __init__(self, network: CenterNet, hardware: Hardware) -> None:
        super().__init__()
        self.total_stride, self.factor = network.total_stride, network.factor
        self.intensity, self.stem, self.trunk, self.neck = (
            network.intensity,
            network.stem,
            network.trunk,
            network.neck,
        )
        heads = (network.heatmap, network.offset, network.diameter)
        self.heads = _pointwise(_joined(heads, "weight"), _joined(heads, "bias"), hardware)
        fusion, context = _matrix(network.mask_fusion), _matrix(network.mask_context)
        width = len(fusion)
        # two convolutions in a row, without anything between them, are one; its result is shuffled, and the order of
        # channels is (channel, voxel of the block)
        blocks = context.reshape(width, -1, context.shape[1])
        weight = torch.einsum("ow,wkc->okc", fusion[:, :width], blocks).flatten(0, 1)
        bias = fusion[:, :width] @ _bias(network.mask_context).reshape(width, -1)
        self.context = _pointwise(weight, (bias + _bias(network.mask_fusion)[:, None]).flatten(), hardware)
        self.fine = _pointwise(fusion[:, width:], None, hardware, has_relu=True)
        self.mask = FusedConvolution(network.mask, hardware)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return all four heads for HU (B, 1, Z, Y, X), the mask folded."""
        fine = self.stem(self.intensity(hu_BCZYX))
        features = self.neck(self.trunk(fine))
        peaks = self.heads(features)
        context = voxel_shuffle(self.context(features), self.factor)
        return {
            "heatmap": peaks[:, :1],
            "offset": peaks[:, 1:4],
            "diameter": peaks[:, 4:],
            "mask": self.mask(self.fine(fine, context)),
        }


def _pointwise(weight: Tensor, bias: Tensor | None, hardware: Hardware, *, has_relu: bool = False) -> FusedConvolution:
    """Return the 1x1x1 convolution of a matrix (out, in) and a bias (out,)."""
    convolution = nn.Conv3d(weight.shape[1], weight.shape[0], 1, bias=bias is not None)
    convolution.weight = nn.Parameter(weight[:, :, None, None, None].clone(), requires_grad=False)
    if bias is not None:
        convolution.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return FusedConvolution(convolution, hardware, has_relu=has_relu)


def _joined(heads: tuple[nn.Conv3d, ...], name: str) -> Tensor:
    tensors = [getattr(head, name).detach() for head in heads]
    return torch.cat([tensor.flatten(1) if name == "weight" else tensor for tensor in tensors])


def _matrix(convolution: nn.Conv3d) -> Tensor:
    return convolution.weight.detach().flatten(1)


def _bias(convolution: nn.Conv3d) -> Tensor:
    if convolution.bias is None:
        raise ValueError("fused centre detector: expected convolutions with a bias, found one without")
    return convolution.bias.detach()
