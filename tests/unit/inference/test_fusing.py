"""A network rebuilt for inference computes the logits of the network, up to rounding."""

import pytest
import torch
from torch import nn

from lungpipe.inference.fused_convolution import DoubledConvolution, FusedConvolution
from lungpipe.inference.fusing import fuse_network
from lungpipe.inference.maps import mean_logits
from lungpipe.models import build_network, choose_hardware
from lungpipe.models.blocks import voxel_shuffle
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import CenterNetSettings, ResNetSettings, SliceUNetSettings, UNetSettings

NETWORKS = {
    "residual U-Net": UNetSettings(channels=(4, 6), stem_stride=2),
    "plain U-Net at full resolution": UNetSettings(channels=(4, 6, 8), stem_stride=1, is_residual=False),
    "U-Net with a folding stem and two windows": UNetSettings(
        channels=(4, 6), stem_stride=4, windows_hu=((-1000, 400), (-160, 240)), normalisation="zero_centre"
    ),
    "centre net of stride 2": CenterNetSettings(channels=(4, 6), output_stride=2),
    "centre net of stride 4": CenterNetSettings(channels=(4, 6, 8), output_stride=4, normalisation="byte"),
    "plain centre net": CenterNetSettings(channels=(4, 6), output_stride=2, is_residual=False),
    "centre net that adds skips": CenterNetSettings(channels=(4, 6, 8), output_stride=2, skips="add"),
    "slice U-Net": SliceUNetSettings(channels=(4, 6)),
    "ResNet": ResNetSettings(channels=(4, 6), dropout=0.3),
}


def trained(settings):
    """A network whose weights, biases and statistics are all far from their initial values."""
    torch.manual_seed(0)
    network = build_network(settings)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, nn.Conv3d | nn.Linear) and module.bias is not None:
            nn.init.normal_(module.weight, std=0.3)
            nn.init.normal_(module.bias, std=0.3)
    return network.eval()


def patches(shape=(2, 1, 32, 48, 16)):
    return torch.randint(-1100, 500, shape, dtype=torch.int16, generator=torch.Generator().manual_seed(0))


def logits(network, hu):
    with torch.inference_mode():
        return network(hu)


def unfolded(values, shape):
    return values if values.shape == shape else voxel_shuffle(values, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_fused_network_computes_the_same(cpu, name):
    network = trained(NETWORKS[name])
    expected, found = logits(network, patches()), logits(fuse_network(network, cpu), patches())
    assert found.keys() == expected.keys()
    for head, values in expected.items():
        spread = float(values.std())
        assert spread > 1e-3, head
        torch.testing.assert_close(unfolded(found[head], values.shape), values, atol=2e-5 * spread, rtol=2e-5)


@pytest.mark.parametrize("name", ["residual U-Net", "centre net of stride 2", "plain centre net"])
def test_in_bfloat16_a_fused_network_errs_no_more_than_the_network_itself(cpu, name):
    network = trained(NETWORKS[name])
    reduced = choose_hardware(ComputeSettings(device="cpu", precision="bfloat16"), 1)
    expected, autocast = (mean_logits([network], patches(), hardware) for hardware in (cpu, reduced))
    found = mean_logits([fuse_network(network, reduced)], patches(), reduced)
    for head, values in expected.items():
        own = (autocast[head] - values).square().mean().sqrt()
        error = (unfolded(found[head], values.shape) - values).square().mean().sqrt()
        assert 0.0 < error < 1.2 * own, head


@pytest.mark.parametrize("has_onednn", [True, False])
@pytest.mark.parametrize(("has_relu", "has_addend"), [(True, False), (False, True), (True, True)])
def test_a_fused_convolution_adds_and_rectifies(cpu, has_onednn, has_relu, has_addend):
    convolution = nn.Conv3d(3, 5, 3, stride=2, padding=1)
    features, addend = torch.randn(1, 3, 6, 8, 10), torch.randn(1, 5, 3, 4, 5)
    fused = FusedConvolution(convolution, cpu, has_relu=has_relu)
    fused.has_onednn = has_onednn
    with torch.inference_mode():
        expected = convolution(features) + (addend if has_addend else 0.0)
        found = fused(features, addend if has_addend else None)
    assert (expected < 0).any()
    torch.testing.assert_close(found, expected.relu() if has_relu else expected, atol=1e-5, rtol=1e-5)


def test_a_convolution_before_doubling_equals_the_one_behind_up_to_the_border(cpu):
    convolution = nn.Conv3d(3, 2, 3, padding=1, bias=False)
    coarse = torch.randn(2, 3, 2, 3, 4)
    with torch.inference_mode():
        expected = convolution(nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        found = DoubledConvolution(convolution, cpu)(coarse)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_network_itself_stays_as_it_was(cpu):
    network = trained(NETWORKS["centre net of stride 2"]).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fuse_network(network, cpu)
    assert network.training
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_other_networks_pass_through(cpu):
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1, groups=1), nn.Conv3d(2, 2, 3, groups=2), nn.Sigmoid())
    features = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(logits(fuse_network(network, cpu), features), logits(network, features))
