"""Batch statistics over all processes: two processes against one on the joined batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from lungpipe.models.batch_norm import BatchNorm3d

SHARES = (slice(0, 2), slice(2, 5))
"""Rows of each process: different numbers of patches."""


def make_case():
    generator = torch.Generator().manual_seed(0)
    features, targets = torch.randn(2, 5, 3, 4, 4, 4, generator=generator, dtype=torch.float64).float()
    # channels of different mean and spread; the two shares differ, too
    features = features * torch.tensor([1.0, 5.0, 0.1]).view(1, 3, 1, 1, 1) + torch.tensor([0.0, 20.0, -3.0]).view(
        1, 3, 1, 1, 1
    )
    features[SHARES[0]] += 2.0
    return features, targets


def make_layer(layer_class):
    layer = layer_class(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.5, -2.0]))
        layer.bias.copy_(torch.tensor([1.0, -1.0, 0.25]))
    return layer


def run(layer, features, targets):
    features = features.clone().requires_grad_()
    for _ in range(2):
        layer.zero_grad()
        features.grad = None
        normalised = layer(features)
        (normalised * targets).sum().backward()
    facts = {"normalised": normalised.detach(), "features": features.grad}
    facts |= {"weight": layer.weight.grad, "bias": layer.bias.grad}
    return facts | {name: buffer.clone() for name, buffer in layer.named_buffers()}


def run_share(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    features, targets = make_case()
    layer = make_layer(BatchNorm3d)
    facts = run(layer, features[SHARES[rank]], targets[SHARES[rank]])
    facts["evaluated"] = layer.eval()(features[SHARES[rank]]).detach()
    torch.save(facts, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    command = [sys.executable, __file__]
    processes = [subprocess.Popen([*command, str(rank), str(folder)]) for rank in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def joined():
    features, targets = make_case()
    layer = make_layer(nn.BatchNorm3d)
    facts = run(layer, features, targets)
    facts["evaluated"] = layer.eval()(features).detach()
    return facts


@pytest.mark.parametrize("name", ["normalised", "features", "evaluated"])
def test_two_processes_normalise_and_differentiate_as_one_on_the_joined_batch(shares, joined, name):
    together = torch.cat([share[name] for share in shares])
    torch.testing.assert_close(together, joined[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_gradients_of_the_weights_add_up(shares, joined, name):
    torch.testing.assert_close(shares[0][name] + shares[1][name], joined[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["running_mean", "running_var", "num_batches_tracked"])
def test_running_statistics_are_those_of_the_joined_batch_in_every_process(shares, joined, name):
    assert torch.equal(shares[0][name], shares[1][name])
    torch.testing.assert_close(shares[0][name], joined[name])


def test_one_process_computes_as_torch_does_to_the_bit():
    features, targets = make_case()
    own, torchs = (run(make_layer(layer_class), features, targets) for layer_class in (BatchNorm3d, nn.BatchNorm3d))
    assert all(torch.equal(own[name], torchs[name]) for name in torchs)
    assert list(BatchNorm3d(3).state_dict()) == list(nn.BatchNorm3d(3).state_dict())


if __name__ == "__main__":
    run_share(int(sys.argv[1]), Path(sys.argv[2]))
