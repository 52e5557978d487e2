"""The segmenter: sizes, where its mask lies, and what it refuses."""

import pytest
import torch

from lungpipe.models import Segmenter
from lungpipe.settings import SegmenterSettings


def build(**changes):
    torch.manual_seed(0)
    return Segmenter(SegmenterSettings(**{"channels": (2, 3, 4), **changes})).eval()


@pytest.mark.parametrize("is_residual", [True, False])
@pytest.mark.parametrize(("stem_stride", "channels", "expected"), [(1, (2, 3), 2), (2, (2, 3), 4), (2, (2, 3, 4), 8)])
def test_the_mask_has_the_size_of_the_input(is_residual, stem_stride, channels, expected):
    network = build(channels=channels, stem_stride=stem_stride, is_residual=is_residual)
    assert network.total_stride == expected
    for sides in ((expected, expected, expected), (expected, 2 * expected, 3 * expected)):
        assert network(torch.randn(2, 1, *sides)).shape == (2, 1, *sides)


@pytest.mark.parametrize("sides", [(9, 8, 8), (8, 12, 8), (8, 8, 7)])
def test_a_size_that_does_not_divide_is_refused(sides):
    with pytest.raises(ValueError, match=r"divisible by 8 voxels, found \(" + ", ".join(map(str, sides))):
        build()(torch.zeros(1, 1, *sides))


def test_a_size_that_only_the_stem_would_round_is_refused_too():
    with pytest.raises(ValueError, match="divisible by 2"):
        build(channels=(2,))(torch.zeros(1, 1, 4, 5, 4))


def copying_network():
    """A strided stem whose eight channels copy the eight sub-voxels, and a head that lays them back."""
    network = build(channels=(8,), stem_stride=2, is_residual=False)
    (first, norm, _), (second, second_norm, _) = network.encoder[0]
    with torch.no_grad():
        first.weight.zero_()
        second.weight.zero_()
        network.head.weight.zero_()
        network.head.bias.zero_()
        for channel in range(8):
            z, y, x = channel // 4, channel // 2 % 2, channel % 2
            # a 3x3x3 kernel is centred on the even voxel: its sub-voxels are the centre and the one beyond
            first.weight[channel, 0, 1 + z, 1 + y, 1 + x] = (1 + norm.eps) ** 0.5
            second.weight[channel, channel, 1, 1, 1] = (1 + second_norm.eps) ** 0.5
            network.head.weight[channel, channel] = 1
    return network


@torch.inference_mode()
def test_a_strided_stem_and_the_shuffle_shift_nothing_not_even_by_half_a_voxel():
    network = copying_network()
    for z, y, x in ((0, 0, 0), (3, 4, 5), (4, 5, 6), (5, 3, 2), (7, 7, 7)):
        patch = torch.zeros(1, 1, 8, 8, 8)
        patch[0, 0, z, y, x] = 1
        torch.testing.assert_close(network(patch), patch)


@torch.inference_mode()
def test_a_new_network_starts_where_almost_every_voxel_is_background():
    assert torch.sigmoid(build()(torch.rand(1, 1, 16, 16, 16))).mean() < 0.1


@torch.inference_mode()
def test_the_coarsest_level_reaches_the_mask():
    network = build()
    patch = torch.rand(1, 1, 16, 16, 16)
    before = network(patch)
    torch.nn.init.zeros_(network.encoder[-1].second[1].weight)
    assert not torch.equal(network(patch), before)


def test_every_weight_learns():
    network = build().train()
    network(torch.rand(2, 1, 16, 16, 16)).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []
