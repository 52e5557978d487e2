"""AdamW; weight decay applies to weights, not to biases and scales."""

import torch
from torch import nn

from lungpipe.settings.recipe import TrainingSettings


def build_optimiser(network: nn.Module, training: TrainingSettings) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov & Hutter, ICLR 2019) for a network that was moved to its device before.

    Biases and the scales of normalisation layers are not decayed: they have one axis, all other weights have more.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    # fused: one kernel for all weights, and no step counter that has to be read back from the device
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=training.learning_rate, fused=True)
