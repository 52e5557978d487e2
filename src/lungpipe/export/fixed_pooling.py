"""Adaptive pooling as products with fixed matrices, which ONNX can express."""

import torch
from torch import Tensor, nn


def fix_pooling(network: nn.Module) -> None:
    """Replace every `AdaptiveAvgPool3d` of a network by a layer of the same results, in place."""
    for name, child in network.named_children():
        if isinstance(child, nn.AdaptiveAvgPool3d):
            setattr(network, name, FixedPool(child))
        else:
            fix_pooling(child)


class FixedPool(nn.Module):
    """`AdaptiveAvgPool3d` for inputs whose sides are known when a program is made; results differ by rounding alone."""

    def __init__(self, pool: nn.AdaptiveAvgPool3d) -> None:
        """Take the output's sides (zyx; None keeps a side) of `pool`."""
        super().__init__()
        sides = pool.output_size
        self.sides = tuple(sides) if isinstance(sides, tuple) else (sides, sides, sides)

    def forward(self, features_BCZYX: Tensor) -> Tensor:
        """Map (B, C, Z, Y, X) to (B, C, *sides)."""
        features = features_BCZYX
        for axis, side in zip((2, 3, 4), self.sides, strict=True):
            if side is not None:
                weights = pooling_matrix(int(features.shape[axis]), side)
                features = (features.movedim(axis, -1) @ weights.to(features.dtype)).movedim(-1, axis)
        return features


def pooling_matrix(size: int, side: int) -> Tensor:
    """Return (size, side), float32: column k has the share of each input in output k, as adaptive pooling defines it.

    Output k is the mean of the inputs from floor(k size / side) to ceil((k + 1) size / side).
    """
    matrix = torch.zeros((size, side))
    for k in range(side):
        first, end = k * size // side, -(-(k + 1) * size // side)
        matrix[first:end, k] = 1.0 / (end - first)
    return matrix
