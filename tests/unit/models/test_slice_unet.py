"""The slice U-Net sees a slice and its neighbours, and nothing else of the patch."""

import pytest
import torch

from lungpipe.models import build_network
from lungpipe.settings.recipe import SliceUNetSettings


def build(context_slices=1):
    torch.manual_seed(0)
    return build_network(SliceUNetSettings(channels=(3, 4), context_slices=context_slices)).eval()


def random_hu(depth=12, side=8):
    return torch.randint(-1000, 400, (1, 1, depth, side, side), generator=torch.Generator().manual_seed(1)).float()


@torch.inference_mode()
@pytest.mark.parametrize("context_slices", [0, 1, 3])
def test_a_slice_sees_its_neighbours_up_to_the_context(context_slices):
    network, hu = build(context_slices), random_hu()
    other = hu.clone()
    other[0, 0, 6] += 300
    moved = (network(hu)["mask"] != network(other)["mask"]).flatten(3).any(dim=-1)[0, 0]
    assert moved.nonzero()[:, 0].tolist() == list(range(6 - context_slices, 7 + context_slices))


@torch.inference_mode()
def test_the_end_slices_are_repeated_beyond_the_patch():
    network, hu = build(2), random_hu()
    longer = torch.cat([hu[:, :, :1]] * 2 + [hu] + [hu[:, :, -1:]] * 2, dim=2)
    torch.testing.assert_close(network(longer)["mask"][:, :, 2:-2], network(hu)["mask"], rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_the_order_of_the_neighbours_matters():
    network, hu = build(1), random_hu()
    assert (network(hu.flip(2))["mask"].flip(2) - network(hu)["mask"]).abs().max() > 1e-4


@torch.inference_mode()
def test_neighbouring_slices_are_the_channels_of_a_2d_convolution():
    network, hu = build(1), random_hu(depth=4)
    first = network.encoder[0][0]
    image = network.intensity(hu)[0, 0]
    stacked = torch.stack([image[[max(z - 1, 0), z, min(z + 1, 3)]] for z in range(4)])
    expected = torch.nn.functional.conv2d(stacked, first.weight[:, 0], padding=1)
    seen = []
    first.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(hu)
    torch.testing.assert_close(seen[0][0].transpose(0, 1), expected, rtol=1e-4, atol=1e-5)
