"""Voxel shuffle: the inverse of cutting a volume into sub-voxels, for any factor and size."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lungpipe.models.blocks import voxel_shuffle


@given(st.integers(1, 3), st.integers(1, 2), st.tuples(*[st.integers(1, 3)] * 3))
def test_shuffling_undoes_cutting_into_sub_voxels(factor, channels, shape):
    z, y, x = (factor * side for side in shape)
    volume = torch.arange(channels * z * y * x).reshape(1, channels, z, y, x)
    parts = [
        volume[:, channel, a::factor, b::factor, c::factor]
        for channel in range(channels)
        for a in range(factor)
        for b in range(factor)
        for c in range(factor)
    ]
    assert torch.equal(voxel_shuffle(torch.stack(parts, dim=1), factor), volume)
