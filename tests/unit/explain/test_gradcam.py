"""Grad-CAM: a case by hand, and the sanity checks of its literature on trained networks."""

import numpy as np
import pytest
import torch
from ball_networks import KINDS, RADIUS_VOX, ball_centers, ball_patch
from torch import nn

from lungpipe.explain.gradcam import explain_flips, explain_patch, weigh, weigh_elements
from lungpipe.models import build_network


class OneLayer(nn.Module):
    """One 1x1x1 convolution without bias to two channels, then a weighted sum over the map."""

    def __init__(self, factors, heads):
        super().__init__()
        self.layer = nn.Conv3d(1, 2, 1, bias=False)
        self.layer.weight.data = torch.tensor(factors).reshape(2, 1, 1, 1, 1)
        self.heads = torch.tensor(heads).reshape(1, 2, 1, 1, 1)

    def forward(self, hu_BCZYX):
        logit = (self.heads * self.layer(hu_BCZYX)).sum(dim=(1, 2, 3, 4))
        return {"nodule": logit, "malignancy": -logit}


def test_the_weights_are_the_mean_gradients_and_the_sum_is_cut_at_zero():
    activations = torch.tensor([[[[1.0, 2.0]]], [[[3.0, -1.0]]]])
    gradients = torch.tensor([[[[1.0, 3.0]]], [[[-1.0, 0.0]]]])
    # weights 2 and -1/2: 2 * 1 - 3 / 2 and 2 * 2 + 1 / 2
    assert weigh(activations, gradients).tolist() == [[[0.5, 4.5]]]
    assert weigh(activations, -gradients).tolist() == [[[0.0, 0.0]]]


def test_one_layer_by_hand():
    hu = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    # channels 2 h and -h, gradients 1/2 and 3: weights 1/2 and 3, so that the sum is h - 3 h
    network = OneLayer([2.0, -1.0], [0.5, 3.0])
    values, logit = explain_patch(network, hu, "nodule")
    assert logit == pytest.approx(-2 * 28)
    assert not values.any()
    values, logit = explain_patch(network, hu, "malignancy")
    assert logit == pytest.approx(2 * 28)
    np.testing.assert_allclose(values, 2 * hu[0, 0].numpy())


class Places(nn.Module):
    """One 1x1x1 convolution without bias to one channel, then a weight for each place of the map, as a dense layer."""

    def __init__(self, weights_zyx):
        super().__init__()
        self.layer = nn.Conv3d(1, 1, 1, bias=False)
        self.layer.weight.data.fill_(1.0)
        self.weights = weights_zyx

    def forward(self, hu_BCZYX):
        return {"nodule": (self.weights * self.layer(hu_BCZYX)).sum(dim=(1, 2, 3, 4))}


def test_elements_have_the_weight_of_their_own_gradient():
    activations = torch.tensor([[[[1.0, 2.0]]], [[[3.0, -1.0]]]])
    gradients = torch.tensor([[[[1.0, 3.0]]], [[[-1.0, 0.0]]]])
    # 1 * 1 - 1 * 3 is cut at zero; 3 * 2 + 0
    assert weigh_elements(activations, gradients).tolist() == [[[0.0, 6.0]]]


def test_a_network_that_weighs_places_is_followed_by_hirescam_alone():
    hu = torch.full((1, 1, 3, 3, 3), 0.1)
    # a ball in the middle, which alone raises the output; a brighter wall that the network ignores
    hu[0, 0, 1, 1, 1], hu[0, 0, :, :, 0] = 1.0, 2.0
    weights = torch.zeros(3, 3, 3)
    weights[1, 1, 1] = 27.0
    network = Places(weights)
    averaged, _ = explain_patch(network, hu, "nodule")
    np.testing.assert_allclose(averaged, hu[0, 0].numpy())
    own, _ = explain_patch(network, hu, "nodule", method="hirescam")
    assert np.argwhere(own).tolist() == [[1, 1, 1]]
    assert own[1, 1, 1] == 27.0


def test_both_methods_agree_where_the_map_is_averaged():
    hu = torch.rand(1, 1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    network = OneLayer([2.0, -1.0], [0.5, -3.0])
    averaged, _ = explain_flips(network, hu, "nodule")
    own, _ = explain_flips(network, hu, "nodule", method="hirescam")
    assert averaged.any()
    np.testing.assert_allclose(own, averaged, rtol=1e-6)


def test_slices_have_weights_of_their_own():
    activations = torch.ones(1, 2, 1, 2)
    gradients = torch.tensor([[[[2.0, 4.0]], [[-1.0, -1.0]]]])
    assert weigh(activations, gradients, dims=(2, 3)).tolist() == [[[3.0, 3.0]], [[0.0, 0.0]]]


def test_flips_give_a_symmetric_map_of_a_symmetric_patch():
    torch.manual_seed(0)
    settings, side = KINDS["resnet"]
    network = build_network(settings).eval()
    middle = torch.from_numpy(ball_patch(side, ((side - 1) / 2,) * 3, np.random.default_rng(0)))
    patch = sum(torch.flip(middle, axes) for axes in ([], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2])) / 8
    values, _ = explain_flips(network, patch[None, None], "nodule")
    for axis in range(3):
        np.testing.assert_allclose(values, np.flip(values, axis), rtol=1e-3, atol=1e-7)


def share_in_ball(values: np.ndarray, center) -> float:
    """How many times as much of the map is within two radii of the ball as of an even map."""
    distance = np.linalg.norm(np.stack(np.indices(values.shape), axis=-1) - np.asarray(center), axis=-1)
    is_near = distance < 2 * RADIUS_VOX
    return float(values[is_near].mean() / values.mean())


@pytest.mark.parametrize("output", ["nodule", "malignancy"])
def test_the_map_of_a_trained_network_is_on_the_ball(trained, output):
    _, network, side = trained
    rng = np.random.default_rng(7)
    shares = []
    for center in ball_centers(side, 4, rng):
        patch = torch.from_numpy(ball_patch(side, center, rng))[None, None]
        values, logit = explain_flips(network, patch, output)
        assert values.shape == (side,) * 3
        assert values.dtype == np.float32
        without = torch.from_numpy(ball_patch(side, None, rng))[None, None]
        assert logit > explain_patch(network, without, output)[1] + 1
        shares.append(share_in_ball(values, center))
    assert np.mean(shares) > 2.5


def test_other_weights_give_another_map(trained):
    # Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: a map that stays shows edges, not the network
    kind, network, side = trained
    rng = np.random.default_rng(8)
    middle = ((side - 1) / 2,) * 3
    patch = torch.from_numpy(ball_patch(side, middle, rng))[None, None]
    values, _ = explain_flips(network, patch, "nodule")
    similar, shares = [], []
    for seed in range(4):
        torch.manual_seed(100 + seed)
        other, _ = explain_flips(build_network(KINDS[kind][0]).eval(), patch, "nodule")
        similar.append(np.corrcoef(values.ravel(), other.ravel())[0, 1] if other.any() else 0.0)
        shares.append(share_in_ball(other, middle) if other.any() else 0.0)
    again, _ = explain_flips(network, patch, "nodule")
    np.testing.assert_array_equal(values, again)
    assert max(similar) < 0.95
    assert np.median(shares) < share_in_ball(values, middle) / 1.5


def test_the_network_and_its_gradients_stay_as_they_are(trained):
    _, network, side = trained
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    explain_patch(network, torch.zeros(1, 1, side, side, side), "nodule")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(not module._forward_hooks for module in network.modules())
