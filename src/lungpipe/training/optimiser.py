"""The optimisers of a training; weight decay applies to weights, not to biases and scales."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.muon import Muon


class Optimisers:
    """Several optimisers, each of its own weights, used as one."""

    def __init__(self, members: Sequence[torch.optim.Optimizer]) -> None:
        self.members = tuple(members)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of weights of all optimisers."""
        return [group for member in self.members for group in member.param_groups]

    def set_learning_rate(self, rate: float) -> None:
        """Give all groups this learning rate for the next step."""
        for group in self.param_groups:
            group["lr"] = rate

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move all weights once."""
        for member in self.members:
            member.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of each optimiser, for a resume file."""
        return [member.state_dict() for member in self.members]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Continue from what `state_dict` returned."""
        for member, state in zip(self.members, states, strict=True):
            member.load_state_dict(state)


def build_optimiser(network: nn.Module, training: TrainingSettings) -> Optimisers:
    """Return the optimisers of a network that was moved to its device before.

    `adamw` is AdamW (Loshchilov & Hutter, ICLR 2019) for all weights; `muon` is Muon for the kernels of convolutions
    and AdamW for the rest. Biases and the scales of normalisation layers are not decayed: they have one axis, all other
    weights have more.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    kernels = [parameter for parameter in parameters if training.optimiser == "muon" and is_kernel(parameter)]
    rest = [parameter for parameter in parameters if all(parameter is not kernel for kernel in kernels)]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    members: list[torch.optim.Optimizer] = []
    if chosen := [group for group in groups if group["params"]]:
        # fused: one kernel for all weights, and no step counter that has to be read back from the device
        members.append(torch.optim.AdamW(chosen, lr=training.learning_rate, fused=True))
    if kernels:
        members.append(Muon(kernels, lr=training.learning_rate, weight_decay=training.weight_decay))
    return Optimisers(members)


def is_kernel(weight: Tensor) -> bool:
    """Return whether a weight is the kernel of a convolution that sees neighbours; 1x1x1 layers and heads are none."""
    return weight.ndim > 2 and weight[0, 0].numel() > 1
