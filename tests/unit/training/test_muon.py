"""Orthogonal updates: singular values, the size of a step, torch's own optimiser, resuming."""

import copy

import pytest
import torch
from torch import nn

from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.muon import NUM_ITERATIONS, Muon, orthogonal
from lungpipe.training.optimiser import build_optimiser


def lifted(value):
    """Return what the iteration makes of one singular value, computed as a number."""
    for _ in range(NUM_ITERATIONS):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (5, 2)])
def test_singular_values_are_those_of_the_iteration_and_vectors_stay(shape):
    matrix = torch.zeros(shape)
    matrix[0, 0], matrix[1, 1] = 3.0, -4.0  # norm 5: singular values 0.6 and 0.8
    expected = torch.zeros(shape)
    expected[0, 0], expected[1, 1] = lifted(0.6), -lifted(0.8)
    torch.testing.assert_close(orthogonal(matrix), expected, atol=1e-5, rtol=1e-5)


def test_small_singular_values_are_lifted_to_about_one():
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn((16, 432), generator=generator) * torch.logspace(0, -1, 16)[:, None]
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_zero_gradient_moves_nothing_but_by_its_decay():
    kernel = nn.Parameter(torch.ones(2, 2, 3, 3, 3))
    kernel.grad = torch.zeros_like(kernel)
    Muon([kernel], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(kernel.detach(), torch.full((2, 2, 3, 3, 3), 0.95))


def test_steps_are_those_of_torchs_optimiser_on_the_kernel_as_a_matrix():
    """torch's own scales a step by 0.2 sqrt(max(rows, columns)) and computes it in bfloat16."""
    generator = torch.Generator().manual_seed(2)
    kernel = nn.Parameter(torch.randn((4, 2, 3, 3, 3), generator=generator))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    ours = Muon([kernel], lr=0.01, weight_decay=0.1)
    theirs = torch.optim.Muon([matrix], lr=0.05, weight_decay=0.02, adjust_lr_fn="match_rms_adamw")
    began = kernel.detach().clone()
    for _ in range(4):
        kernel.grad = torch.randn(kernel.shape, generator=generator)
        matrix.grad = kernel.grad.flatten(1).clone()
        ours.step()
        theirs.step()
    moved = (kernel - began).detach()
    assert (kernel.detach().flatten(1) - matrix.detach()).norm() < 0.02 * moved.norm()


def test_elements_of_a_step_have_a_mean_square_near_the_learning_rates():
    generator = torch.Generator().manual_seed(3)
    kernel = nn.Parameter(torch.zeros(16, 16, 3, 3, 3))
    kernel.grad = torch.randn(kernel.shape, generator=generator)
    Muon([kernel], lr=0.01, weight_decay=0.0).step()
    assert float(kernel.detach().square().mean().sqrt()) == pytest.approx(0.01, rel=0.3)


def test_memory_format_does_not_change_a_step():
    generator = torch.Generator().manual_seed(4)
    plain = nn.Parameter(torch.randn((4, 2, 3, 3, 3), generator=generator))
    other = nn.Parameter(plain.detach().clone(memory_format=torch.channels_last_3d))
    gradient = torch.randn(plain.shape, generator=generator)
    for kernel in (plain, other):
        kernel.grad = gradient.clone(memory_format=torch.preserve_format)
        Muon([kernel], lr=0.01, weight_decay=0.1).step()
    torch.testing.assert_close(plain, other)


def network_and_optimiser():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2), nn.Conv3d(2, 1, 1))
    settings = TrainingSettings(num_steps=1, batch_size=1, learning_rate=0.1, optimiser="muon")
    return network, build_optimiser(network, settings)


def test_muon_takes_the_kernels_that_see_neighbours_and_adamw_every_other_weight():
    network, optimiser = network_and_optimiser()
    adamw, muon = optimiser.members
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(muon, Muon)
    assert [id(p) for group in muon.param_groups for p in group["params"]] == [id(network[0].weight)]
    taken = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert taken == {id(p) for p in network.parameters()} - {id(network[0].weight)}


def test_a_resumed_optimiser_takes_the_steps_of_an_unbroken_one():
    def take(network, optimiser, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()

    network, optimiser = network_and_optimiser()
    take(network, optimiser, 1)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    state = copy.deepcopy(optimiser.state_dict())
    resumed, other = network_and_optimiser()
    resumed.load_state_dict(weights)
    other.load_state_dict(state)
    for pair in ((network, optimiser), (resumed, other)):
        take(*pair, 2)
    for one, two in zip(network.parameters(), resumed.parameters(), strict=True):
        assert one.equal(two)
