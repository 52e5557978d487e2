"""Weight decay reaches weights alone."""

import torch
from torch import nn

from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.optimiser import build_optimiser


def step_without_gradient(weight_decay):
    """Take one step with gradients of zero: what moves a weight is its decay."""
    network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), nn.Flatten(), nn.Linear(2, 1))
    nn.init.constant_(network[0].bias, 1.0)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    settings = TrainingSettings(num_steps=1, batch_size=1, learning_rate=0.1, weight_decay=weight_decay)
    optimiser = build_optimiser(network, settings)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    return {name: (before[name], parameter.detach()) for name, parameter in network.named_parameters()}


def test_weights_shrink_by_rate_times_decay_and_biases_and_norms_do_not():
    moved = step_without_gradient(0.5)
    assert set(moved) == {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}
    for name, (before, after) in moved.items():
        is_decayed = name in ("0.weight", "3.weight")
        torch.testing.assert_close(after, before * (0.95 if is_decayed else 1.0))


def test_without_decay_nothing_moves():
    for before, after in step_without_gradient(0.0).values():
        assert after.equal(before)


def test_frozen_weights_are_left_out():
    network = nn.Linear(2, 1)
    network.weight.requires_grad_(False)
    optimiser = build_optimiser(network, TrainingSettings(num_steps=1, batch_size=1, learning_rate=0.1))
    assert [parameter for group in optimiser.param_groups for parameter in group["params"]] == [network.bias]
