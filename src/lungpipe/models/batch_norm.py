"""Batch normalisation over all processes of a distributed training."""

from typing import Any

import torch
from torch import Tensor, distributed, nn


class SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        """Return the sum."""
        total = local.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the sum of the gradients: every process's loss depends on every process's tensor."""
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def sum_over_processes(local: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, with gradients."""
    total: Tensor = SumOverProcesses.apply(local)  # type: ignore[no-untyped-call]
    return total


class BatchNorm3d(nn.BatchNorm3d):
    """`nn.BatchNorm3d` whose statistics in a distributed training are those of the whole batch.

    With one process, and in evaluation mode, the results equal those of `nn.BatchNorm3d` to the bit, and stored tensors
    have the same names. `nn.SyncBatchNorm` works on CUDA alone. Processes may hold different numbers of patches.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Normalise (B, C, Z, Y, X) per channel."""
        if not (self.training and is_distributed()):
            normalised: Tensor = super().forward(input)
            return normalised
        features = input.float()
        count = features.new_full((1,), features.numel() / features.shape[1])
        sums = sum_over_processes(torch.cat([features.sum(dim=(0, 2, 3, 4)), count]))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = features - mean.view(1, -1, 1, 1, 1)
        variance = sum_over_processes(centred.square().sum(dim=(0, 2, 3, 4))) / total
        self._remember(mean.detach(), variance.detach() * (total / (total - 1)))
        factor = torch.rsqrt(variance + self.eps) * self.weight
        return (centred * factor.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None  # noqa: S101  (for the type checker: statistics are always tracked)
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, float(self.momentum or 0.0))
        self.running_var.lerp_(unbiased_variance, float(self.momentum or 0.0))


def is_distributed() -> bool:
    """Return whether more than one process trains this network."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
