"""Muon: an optimiser for the kernels of convolutions, whose steps move all directions of a kernel alike."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration: so steep at 0 that few iterations lift small singular values to about 1."""
NUM_ITERATIONS = 5
MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Orthogonal momentum (Jordan et al.: Muon, an optimizer for hidden layers in neural networks, 2024).

    A step is the gradient's momentum, taken as a matrix (out, in*z*y*x) and replaced by a matrix with the same
    singular vectors and singular values of about 1. It is scaled to elements with a mean square of about 1, like those
    of an AdamW step, so that both take the same learning rate. Weight decay is that of AdamW.

    `torch.optim.Muon` takes matrices alone, and iterates in bfloat16: on CPUs that do not multiply bfloat16 this costs
    a fifth of a detector's training step.
    """

    def __init__(self, kernels: Iterable[Tensor], *, lr: float, weight_decay: float) -> None:
        super().__init__(kernels, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every kernel that has a gradient."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    kernel.mul_(1.0 - group["lr"] * group["weight_decay"])
                    kernel.add_(self._update(kernel, kernel.grad), alpha=-group["lr"])

    def _update(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1.0 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM)  # Nesterov's momentum
        update = orthogonal(ahead.flatten(1))
        return (update * max(update.shape) ** 0.5).view_as(kernel)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the singular vectors of `matrix` (R, C), and singular values between about 0.7 and 1.2."""
    first, second, third = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    result = matrix.T if is_tall else matrix
    result = result / (result.norm() + 1e-7)
    for _ in range(NUM_ITERATIONS):
        product = result @ result.T
        result = first * result + (second * product + third * product @ product) @ result
    return result.T if is_tall else result
