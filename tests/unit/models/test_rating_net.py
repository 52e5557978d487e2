"""The network that rates: distributions on their scales, the diameter, two scales."""

import math

import pytest
import torch

from lungpipe.models import apply_network, build_network
from lungpipe.models.rating_net import expected_ratings
from lungpipe.settings.recipe import RatingNetSettings
from lungpipe.tables import CHARACTERISTICS


def network_of(**settings):
    torch.manual_seed(0)
    return build_network(RatingNetSettings(channels=(3, 4), **settings)).eval()


def hu(count=2, side=20, seed=0):
    return torch.randint(-1000, 400, (count, 1, side, side, side), generator=torch.Generator().manual_seed(seed))


def test_ratings_beyond_a_scale_are_impossible():
    ratings = network_of()(hu())["ratings"].softmax(dim=-1)
    assert ratings.shape == (2, 9, 6)
    for place, highest in enumerate(CHARACTERISTICS.values()):
        assert (ratings[:, place, :highest] > 1e-3).all()
        assert (ratings[:, place, highest:] == 0).all()


def test_expected_ratings_by_hand():
    logits = torch.full((1, 9, 6), -1e4)
    logits[0, :, 0] = logits[0, :, 3] = 0.0
    logits[0, 8, 0] = math.log(3.0)
    # half 1 and half 4; three quarters 1 and a quarter 4
    torch.testing.assert_close(expected_ratings(logits), torch.tensor([[2.5] * 8 + [1.75]]))


def test_malignancy_is_a_logistic_function_of_its_expected_rating():
    network = network_of()
    network.slope.data, network.shift.data = torch.tensor(2.0), torch.tensor(-0.5)
    outputs = network(hu())
    expected = expected_ratings(outputs["ratings"])[:, list(CHARACTERISTICS).index("malignancy")]
    torch.testing.assert_close(outputs["malignancy"], 2.0 * (expected - 3.0) - 0.5)


def test_the_label_of_malignancy_teaches_the_ratings():
    network = network_of()
    network(hu())["malignancy"].sum().backward()
    assert network.ratings.weight.grad[:6].abs().max() > 0
    assert network.slope.grad.abs() > 0


def test_the_diameter_changes_the_ratings_and_not_the_nodule():
    network = network_of()
    one, other = (network(hu(), torch.tensor([5.0, size])) for size in (5.0, 20.0))
    torch.testing.assert_close(one["nodule"], other["nodule"])
    torch.testing.assert_close(one["ratings"][0], other["ratings"][0])
    assert (one["ratings"][1] - other["ratings"][1]).abs().max() > 1e-3


def test_an_unknown_diameter_is_no_diameter_of_10_mm():
    network = network_of()
    unknown, missing = network(hu(), torch.full((2,), math.nan)), network(hu())
    torch.testing.assert_close(unknown, missing)
    assert not torch.equal(unknown["ratings"], network(hu(), torch.full((2,), 10.0))["ratings"])


def test_a_network_without_diameters_gets_none():
    network = network_of(has_diameter=False)
    torch.testing.assert_close(apply_network(network, hu(), torch.tensor([5.0, 9.0])), network(hu()))


def test_diameters_are_disturbed_and_withheld_in_training_alone():
    network = network_of(diameter_jitter=0.5)
    sizes = torch.full((400,), 10.0)
    like = torch.zeros(400, 8)
    torch.testing.assert_close(network._size(sizes, like), torch.tensor([[0.0, 1.0]] * 400))
    network.train()
    logs, is_known = network._size(sizes, like).T
    assert 0.05 < 1 - is_known.mean() < 0.16
    assert (logs[is_known == 0] == 0).all()
    assert 0.4 < logs[is_known == 1].std() < 0.6


def test_two_scales_see_the_middle_finely_and_the_rest_coarsely():
    network = network_of(num_scales=2)
    seen = []
    network.stages.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    patches = hu(side=24)
    network(patches)
    intensity = network.intensity(patches)
    assert seen[0].shape == (2, 2, 12, 12, 12)
    torch.testing.assert_close(seen[0][:, :1], intensity[:, :, 6:18, 6:18, 6:18])
    torch.testing.assert_close(seen[0][0, 1, 0, 0, 0], intensity[0, 0, :2, :2, :2].mean())


def test_two_scales_need_sides_that_they_can_share():
    with pytest.raises(ValueError, match=r"rating_net: expected sides \(zyx\) divisible by 4 for two scales"):
        network_of(num_scales=2)(hu(side=22))
