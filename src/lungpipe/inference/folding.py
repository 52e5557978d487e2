"""Fold batch normalisation into the convolution before: the same results with fewer passes over memory."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode in which convolution and batch normalisation in sequence are one convolution.

    Results differ by rounding alone. Only layers that follow each other in a Sequential are folded.
    """
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    return folded


def _fold(sequence: nn.Sequential) -> None:
    for place in range(len(sequence) - 1):
        first, second = sequence[place], sequence[place + 1]
        if isinstance(first, nn.Conv3d) and isinstance(second, nn.BatchNorm3d):
            sequence[place] = fuse_conv_bn_eval(first, second)
            sequence[place + 1] = nn.Identity()
