"""The classifier: two logits for a cube of any side."""

import pytest
import torch

from lungpipe.models import Classifier
from lungpipe.settings import ClassifierSettings


def build(channels=(2, 3)):
    torch.manual_seed(0)
    return Classifier(ClassifierSettings(channels=channels)).eval()


@pytest.mark.parametrize("side", [8, 9, 12])
def test_two_logits_per_cube(side):
    assert build()(torch.rand(3, 1, side, side, side)).shape == (3, 2)


@torch.inference_mode()
def test_cubes_of_a_batch_do_not_see_each_other_at_inference():
    network, cubes = build(), torch.rand(3, 1, 8, 8, 8)
    together = network(cubes)
    torch.testing.assert_close(torch.cat([network(cube[None]) for cube in cubes]), together)
    assert torch.equal(network(cubes), together)


def test_the_heads_share_the_trunk_and_nothing_else():
    network = build()
    network(torch.rand(2, 1, 8, 8, 8))[:, Classifier.NODULE].sum().backward()
    assert network.head.weight.grad[Classifier.NODULE].any()
    assert not network.head.weight.grad[Classifier.MALIGNANCY].any()
    assert network.stages[0].first[0].weight.grad.any()
