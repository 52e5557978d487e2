"""Moving average of a network's weights: the weights that are validated and kept."""

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of a network whose weights follow the trained ones: average = d * average + (1 - d) * weights.

    The decay d of step n (counted from 1) is min(decay, n / (n + 9)), as in TensorFlow's ExponentialMovingAverage: the
    average of a short training does not include its random start. Running statistics of batch normalisation are
    averages already and are copied, as torch's AveragedModel does; an average of averages would lag behind the weights.
    No step waits for the device.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._averages: list[Tensor] = list(self.network.parameters())
        self._weights: list[Tensor] = list(network.parameters())
        self._buffers = list(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self, num_steps: int) -> None:
        """Update the average with the network's weights after `num_steps` steps, the last step included."""
        decay = min(self.decay, num_steps / (num_steps + 9.0))
        torch._foreach_lerp_(self._averages, self._weights, 1.0 - decay)
        for copied, buffer in self._buffers:
            copied.copy_(buffer)
