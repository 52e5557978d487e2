"""The centre detector: where its mask lies, what reaches it, and its strides."""

import pytest
import torch

from lungpipe.models.center_net import CenterNet
from lungpipe.settings.recipe import CenterNetSettings


def build(**changes):
    torch.manual_seed(0)
    return CenterNet(CenterNetSettings(**{"channels": (16, 20), "windows_hu": ((0, 1),), **changes})).eval()


@pytest.mark.parametrize(("output_stride", "channels", "expected"), [(2, (4, 6), 4), (4, (4, 6), 8), (4, (4,), 4)])
def test_the_total_stride_is_that_of_heat_map_and_levels(output_stride, channels, expected):
    network = build(output_stride=output_stride, channels=channels)
    assert network.total_stride == expected
    outputs = network(torch.zeros(1, 1, 8, 16, 24))
    assert outputs["heatmap"].shape[2:] == tuple(side // output_stride for side in (8, 16, 24))
    assert outputs["mask"].shape[2:] == (8, 16, 24)


def copying_network(source):
    """A network whose mask shows what comes from the stem (`fine`) or from the trunk (`context`) alone."""
    network = build()
    norm = network.stem[1]
    with torch.no_grad():
        for weight in (network.mask_fusion.weight, network.mask_fusion.bias, network.mask.weight, network.mask.bias):
            weight.zero_()
        first = 8 if source == "fine" else 0
        for channel in range(8):
            network.mask_fusion.weight[channel, first + channel] = 1
            network.mask.weight[channel, channel] = 1
        if source == "fine":
            # eight channels copy the eight sub-voxels of 2x2x2
            network.stem[0].weight.zero_()
            for channel in range(8):
                z, y, x = channel // 4, channel // 2 % 2, channel % 2
                network.stem[0].weight[channel, 0, 1 + z, 1 + y, 1 + x] = (1 + norm.eps) ** 0.5
    return network


@torch.inference_mode()
def test_the_stem_reaches_the_mask_and_shifts_nothing_not_even_by_half_a_voxel():
    network = copying_network("fine")
    for z, y, x in ((0, 0, 0), (3, 4, 5), (4, 5, 6), (5, 3, 2), (7, 7, 7)):
        patch = torch.zeros(1, 1, 8, 8, 8)
        patch[0, 0, z, y, x] = 1
        torch.testing.assert_close(network(patch)["mask"], patch)


@torch.inference_mode()
def test_the_coarsest_level_reaches_every_head():
    network = copying_network("context")
    torch.nn.init.constant_(network.mask_context.bias, 5.0)  # above zero, where the rectifier passes everything
    patch = torch.rand(1, 1, 16, 16, 16)
    before = network(patch)
    torch.nn.init.zeros_(network.trunk.encoder[-1].second[1].weight)
    after = network(patch)
    assert [name for name in before if torch.equal(before[name], after[name])] == []


@torch.inference_mode()
def test_the_diameter_of_a_new_network_is_about_ten_mm():
    log_diameter = build()(torch.rand(1, 1, 16, 16, 16))["diameter"]
    assert log_diameter.abs().max() < 1.5


@torch.inference_mode()
def test_added_skips_sum_what_both_resolutions_send():
    trunk = build(skips="add", channels=(4, 6)).trunk
    seen = []
    trunk.decoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features = torch.rand(1, 4, 16, 16, 16)
    trunk(features)
    fine = trunk.encoder[0](features)
    coarse = trunk.reduce[0](trunk.encoder[1](fine))
    expected = fine + coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    torch.testing.assert_close(seen[0], expected)


def test_added_skips_need_fewer_weights_and_the_same_heads():
    adding, concatenating = build(skips="add"), build()
    counts = [sum(weight.numel() for weight in network.parameters()) for network in (adding, concatenating)]
    assert counts[0] < counts[1]
    patch = torch.zeros(1, 1, 16, 16, 16)
    assert {name: part.shape for name, part in adding(patch).items()} == {
        name: part.shape for name, part in concatenating(patch).items()
    }
