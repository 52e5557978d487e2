"""The moving average against torch's own, and by hand."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lungpipe.training.ema import MovingAverage


def a_network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def change(network, value):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    network[1].running_mean.fill_(value)
    network[1].num_batches_tracked.fill_(int(value))


def test_by_hand():
    network = nn.Linear(1, 1, bias=False)
    change_to = network.weight.data.fill_
    change_to(0.0)
    average = MovingAverage(network, 0.5)
    change_to(1.0)
    average.update(1)  # decay 1 / 10
    assert average.network.weight.item() == pytest.approx(0.9)
    average.update(91)  # decay 91 / 100 is more than 0.5
    assert average.network.weight.item() == pytest.approx(0.95)


def test_it_is_that_of_torch_once_the_decay_is_reached(hardware):
    network = a_network().to(hardware.device)
    ours, theirs = MovingAverage(network, 0.9), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    theirs.update_parameters(network)  # its first update copies
    for step in range(100, 105):
        change(network, float(step))
        ours.update(step)
        theirs.update_parameters(network)
    for mine, other in zip(ours.network.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_running_statistics_are_copied():
    network = a_network()
    average = MovingAverage(network, 0.99)
    change(network, 7.0)
    average.update(1000)
    assert average.network[1].running_mean.tolist() == [7.0] * 3
    assert average.network[1].num_batches_tracked.item() == 7
    assert average.network[0].weight.mean().item() < 1.0


def test_a_decay_of_zero_keeps_the_weights_themselves():
    network = a_network()
    average = MovingAverage(network, 0.0)
    change(network, 5.0)
    average.update(50)
    assert average.network[0].weight.unique().tolist() == [5.0]


def test_the_average_neither_trains_nor_shares_memory():
    network = a_network()
    average = MovingAverage(network, 0.9)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    before = average.network[0].weight.clone()
    change(network, 9.0)
    assert average.network[0].weight.equal(before)
