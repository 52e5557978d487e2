"""Blocks: sizes, shortcuts, and sub-voxels in their places."""

import pytest
import torch

from lungpipe.models.blocks import PlainBlock, ResidualBlock, block, voxel_shuffle


def test_voxel_shuffle_puts_every_sub_voxel_in_its_place():
    factor, channels = 2, 3
    features = torch.arange(channels * 8 * 2 * 3 * 4).reshape(1, channels * 8, 2, 3, 4)
    shuffled = voxel_shuffle(features, factor)
    assert shuffled.shape == (1, channels, 4, 6, 8)
    for c in range(channels):
        for z, y, x in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (3, 4, 5), (2, 5, 7)):
            sub_voxel = 4 * (z % 2) + 2 * (y % 2) + x % 2
            assert shuffled[0, c, z, y, x] == features[0, 8 * c + sub_voxel, z // 2, y // 2, x // 2]


def test_voxel_shuffle_by_one_changes_nothing_and_by_three_keeps_every_value():
    features = torch.randn(2, 27, 2, 2, 2)
    assert voxel_shuffle(features, 1) is features
    shuffled = voxel_shuffle(features, 3)
    assert shuffled.shape == (2, 1, 6, 6, 6)
    assert torch.equal(shuffled.flatten().sort().values, features.flatten().sort().values)


@pytest.mark.parametrize("is_residual", [True, False])
@pytest.mark.parametrize(("stride", "expected"), [(1, (6, 8, 10)), (2, (3, 4, 5))])
def test_a_block_divides_the_size_by_its_stride(is_residual, stride, expected):
    layer = block(2, 5, is_residual=is_residual, stride=stride)
    assert layer(torch.randn(2, 2, 6, 8, 10)).shape == (2, 5, *expected)
    assert isinstance(layer, ResidualBlock if is_residual else PlainBlock)


def test_the_shortcut_carries_the_input_where_the_convolutions_are_silent():
    layer = ResidualBlock(2, 2).eval()
    torch.nn.init.zeros_(layer.second[1].weight)
    features = torch.randn(1, 2, 4, 4, 4)
    assert torch.equal(layer(features), features.relu())
