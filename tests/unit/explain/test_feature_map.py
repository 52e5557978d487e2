"""Which map is the last one, and where its elements are."""

import pytest
import torch

from lungpipe.explain.feature_map import Alignment, last_feature_map
from lungpipe.models import build_network
from lungpipe.settings.recipe import (
    CenterNetSettings,
    Cnn3dSettings,
    MaskedRatingNetSettings,
    RatingNetSettings,
    ResNetSettings,
)
from lungpipe.settings.recipe.networks import BlockCnnSettings
from lungpipe.settings.recipe.slice_networks import SliceCnnSettings, SliceVgg16Settings

MASKS = CenterNetSettings(channels=(4, 6), output_stride=2)
CASES = [
    # strided convolutions: the middle of element o is voxel 4 o
    (ResNetSettings(channels=(4, 6)), 17, (6, 5, 5, 5), (4.0,) * 3, (0.0,) * 3),
    # two scales: the middle half of the patch
    (RatingNetSettings(channels=(4, 6), num_scales=2), 36, (6, 5, 5, 5), (4.0,) * 3, (0.0,) * 3),
    # a detector in the first layer, whose convolutions are no part of the way
    (MaskedRatingNetSettings(channels=(4, 6), num_scales=2, detector=MASKS), 40, (6, 5, 5, 5), (4.0,) * 3, (0.0,) * 3),
    # pooling: the middle of two voxels is between them; before the third pooling
    (Cnn3dSettings(channels=(4, 6, 8)), 16, (8, 4, 4, 4), (4.0,) * 3, (1.5,) * 3),
    (BlockCnnSettings(channels=(4, 6), tuned_blocks=1), 16, (6, 8, 8, 8), (2.0,) * 3, (0.5,) * 3),
    (SliceCnnSettings(channels=(4, 4, 6)), 17, (6, 3, 4, 4), (1.0, 4.0, 4.0), (0.0, 1.5, 1.5)),
    (SliceVgg16Settings(channels=(2, 2, 2, 2, 4), hidden=8), 33, (4, 3, 2, 2), (1.0, 16.0, 16.0), (0.0, 7.5, 7.5)),
]


@pytest.mark.parametrize(
    ("settings", "side", "shape", "scale", "offset"), CASES, ids=lambda value: getattr(value, "kind", "")
)
def test_the_last_map_is_that_before_the_pooling_that_ends_it(settings, side, shape, scale, offset):
    torch.manual_seed(0)
    network = build_network(settings).eval()
    found = last_feature_map(network, 200.0 * torch.randn(1, 1, side, side, side) - 500.0, "nodule")
    assert tuple(found.activations.shape) == tuple(found.gradients.shape) == shape
    assert found.alignment == Alignment(scale, offset)
    # behind its ReLU, which may be in place
    assert found.activations.min() >= 0
    assert found.activations.max() > 0
    assert found.gradients.abs().max() > 0


def test_an_element_is_where_its_alignment_says():
    torch.manual_seed(0)
    network = build_network(ResNetSettings(channels=(4, 6))).eval()
    hu = (200.0 * torch.randn(1, 1, 33, 33, 33) - 500.0).requires_grad_(True)
    features = network.stages(network.intensity(hu))
    [gradient] = torch.autograd.grad(features[0, :, 4, 4, 4].sum(), hu)
    touched = gradient[0, 0].nonzero()
    middle = (touched.amin(dim=0) + touched.amax(dim=0)) / 2
    assert middle.tolist() == pytest.approx([4 * 4.0] * 3, abs=1.0)


def test_each_output_has_the_blocks_on_its_own_way():
    torch.manual_seed(0)
    network = build_network(BlockCnnSettings(channels=(4, 6), tuned_blocks=1)).eval()
    hu = 200.0 * torch.randn(1, 1, 16, 16, 16) - 500.0
    maps = {output: last_feature_map(network, hu, output).activations for output in ("nodule", "malignancy")}
    shared = network.shared_blocks(network.normalise(network.intensity(hu)))
    for output, blocks in (("nodule", network.nodule_blocks), ("malignancy", network.malignancy_blocks)):
        expected = shared.clone()
        for layer in list(blocks[0])[:4]:
            expected = layer(expected)
        torch.testing.assert_close(maps[output], expected[0].detach())
    assert not torch.equal(maps["nodule"], maps["malignancy"])


def test_gradients_are_those_of_the_logit():
    torch.manual_seed(0)
    network = build_network(ResNetSettings(channels=(4, 6))).eval()
    hu = 200.0 * torch.randn(1, 1, 17, 17, 17) - 500.0
    found = last_feature_map(network, hu, "malignancy")
    assert found.logit == pytest.approx(float(network(hu)["malignancy"].detach()), rel=1e-5)
    # the head sees the mean over 125 elements, and the middle element
    weight = network.head.weight[1]
    expected = weight[:6, None, None, None].expand(6, 5, 5, 5).clone() / 125
    expected[:, 2, 2, 2] += weight[6:]
    torch.testing.assert_close(found.gradients, expected.detach())


def test_wrong_calls_are_refused():
    network = build_network(ResNetSettings(channels=(4, 6))).eval()
    with pytest.raises(ValueError, match="output: expected one of malignancy, nodule, found 'age'"):
        last_feature_map(network, torch.zeros(1, 1, 17, 17, 17), "age")
    with pytest.raises(ValueError, match="patches: expected one, found 2"):
        last_feature_map(network, torch.zeros(2, 1, 17, 17, 17), "nodule")


def test_a_network_without_convolutions_is_refused():
    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = torch.nn.AvgPool3d(2)

        def forward(self, hu_BCZYX):
            return {"nodule": self.pool(hu_BCZYX).sum(dim=(1, 2, 3, 4))}

    with pytest.raises(ValueError, match="expected a convolution on the way to the output, found none"):
        last_feature_map(Flat(), torch.zeros(1, 1, 4, 4, 4), "nodule")
