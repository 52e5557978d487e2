"""The U-Net: where its mask lies, and that the coarsest level reaches it."""

import pytest
import torch

from lungpipe.models.unet import UNet
from lungpipe.settings.recipe import UNetSettings


def build(**changes):
    torch.manual_seed(0)
    return UNet(UNetSettings(**{"channels": (2, 3, 4), "windows_hu": ((0, 1),), **changes})).eval()


@pytest.mark.parametrize(("stem_stride", "channels", "expected"), [(1, (2, 3), 2), (2, (2, 3, 4), 8), (4, (2, 3), 8)])
def test_the_total_stride_is_that_of_stem_and_levels(stem_stride, channels, expected):
    assert build(channels=channels, stem_stride=stem_stride).total_stride == expected


def copying_network(stem_stride):
    """A strided stem whose channels copy the sub-voxels, and a head that lays them back."""
    network = build(channels=(8 if stem_stride == 2 else 64,), stem_stride=stem_stride, is_residual=False)
    first_block = network.trunk.encoder[0] if stem_stride == 2 else network.trunk.encoder[0][1]
    (first, norm, _), (second, second_norm, _) = first_block
    with torch.no_grad():
        for weight in (first.weight, second.weight, network.head.weight, network.head.bias):
            weight.zero_()
        for channel in range(first.out_channels):
            # the place of the sub-voxel in its block of stem_stride ** 3 voxels, then of a stride of 2 in it
            place = [channel // stem_stride**axis % stem_stride for axis in (2, 1, 0)]
            folded = 0 if stem_stride == 2 else sum(p % 2 * 2**axis for p, axis in zip(place, (2, 1, 0), strict=True))
            z, y, x = (p if stem_stride == 2 else p // 2 for p in place)
            # a 3x3x3 kernel that strides by 2 is centred on the even position: its second half lies one further
            first.weight[channel, folded, 1 + z, 1 + y, 1 + x] = (1 + norm.eps) ** 0.5
            second.weight[channel, channel, 1, 1, 1] = (1 + second_norm.eps) ** 0.5
            network.head.weight[channel, channel] = 1
    return network


@torch.inference_mode()
@pytest.mark.parametrize("stem_stride", [2, 4])
def test_a_strided_stem_and_the_shuffle_shift_nothing_not_even_by_half_a_voxel(stem_stride):
    network = copying_network(stem_stride)
    for z, y, x in ((0, 0, 0), (3, 4, 5), (4, 5, 6), (5, 3, 2), (7, 7, 7)):
        patch = torch.zeros(1, 1, 8, 8, 8)
        patch[0, 0, z, y, x] = 1
        torch.testing.assert_close(network(patch)["mask"], patch)


@torch.inference_mode()
def test_the_coarsest_level_reaches_the_mask():
    network = build()
    patch = torch.rand(1, 1, 16, 16, 16)
    before = network(patch)["mask"]
    torch.nn.init.zeros_(network.trunk.encoder[-1].second[1].weight)
    assert not torch.equal(network(patch)["mask"], before)


@torch.inference_mode()
def test_a_level_reaches_the_mask_past_the_coarser_ones():
    network = build(channels=(2, 3), is_residual=False)
    # the decoder's first convolution reads 3 channels from below, then 2 from beside
    network.trunk.decoder[0][0][0].weight[:, :3] = 0
    one, two = torch.rand(2, 1, 1, 8, 8, 8)
    assert not torch.equal(network(one)["mask"], network(two)["mask"])


@torch.inference_mode()
def test_plain_and_residual_blocks_are_told_apart():
    names = {is_residual: set(build(is_residual=is_residual).state_dict()) for is_residual in (True, False)}
    assert any("shortcut" in name for name in names[True])
    assert not any("shortcut" in name for name in names[False])
