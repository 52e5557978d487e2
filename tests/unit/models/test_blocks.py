"""Blocks: sizes, shortcuts, and sub-voxels in their places."""

import pytest
import torch

from lungpipe.models.blocks import PlainBlock, ResidualBlock, VoxelUnshuffle, block, stem, voxel_shuffle


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


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last_3d])
def test_unshuffling_is_the_inverse_of_shuffling_in_any_memory_format(memory_format):
    features = torch.randn(2, 3 * 8, 2, 3, 4).to(memory_format=memory_format)
    assert torch.equal(VoxelUnshuffle(2)(voxel_shuffle(features, 2)), features)


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


@pytest.mark.parametrize("is_residual", [True, False])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_stem_divides_by_its_stride_and_misses_no_voxel(is_residual, stride):
    torch.manual_seed(0)
    layer = stem(1, 4, is_residual=is_residual, stride=stride).double()
    patch = torch.randn(1, 1, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    features = layer(patch)
    assert features.shape == (1, 4, *[8 // stride] * 3)
    (features * torch.randn_like(features)).sum().backward()
    assert (patch.grad != 0).all()
