"""The rating network that sees the detector's mask: its channels, and the frozen detector within."""

import copy
from pathlib import Path

import pytest
import torch
from ball_parts import ball_detector, ball_scorer, masked_scorer
from random_detector import write_random_part
from torch import nn

from lungpipe.datasets.leaks import LeakError
from lungpipe.inference.scorer import Scorer
from lungpipe.models import Model, build_network, load_model, save_model
from lungpipe.models.card import digest_of
from lungpipe.settings.recipe import MaskedRatingNetSettings

DETECTOR = ball_detector({"kind": "center_net", "output_stride": 2})
SIDE = 24


class Bones(nn.Module):
    """A detector that finds everything above 0 HU: a probability of 0.75 there, and of 0.25 elsewhere."""

    def forward(self, hu):
        return {"mask": (2.0 * (hu > 0) - 1.0) * torch.log(torch.tensor(3.0))}


def network_of(**settings):
    torch.manual_seed(0)
    whole = MaskedRatingNetSettings(channels=(3, 4), detector=DETECTOR.network, **settings)
    return build_network(whole)


def hu(side=SIDE, seed=0):
    return torch.randint(-1000, 400, (2, 1, side, side, side), generator=torch.Generator().manual_seed(seed)).float()


@pytest.fixture
def path(tmp_path):
    """The detector of all series."""
    (tmp_path / "final").mkdir()
    return write_random_part(tmp_path / "final" / "detector.safetensors", "detector", DETECTOR)


def of_fold(path: Path, folder: str, fold: int) -> Path:
    """Write the same detector as that of a fold, into a folder."""
    model = load_model(path)
    content = model.card.to_content() | {"fold": fold, "validation_series": (digest_of("a validation series"),)}
    changed = path.parents[1] / folder / path.name
    changed.parent.mkdir()
    save_model(changed, Model(type(model.card).from_content(content), model.members))
    return changed


def test_the_mask_is_the_last_channel_of_each_scale():
    network = network_of(num_scales=2, windows_hu=((-1000, 400), (-160, 240))).eval()
    network.intensity.mask.network = Bones()
    seen = []
    network.stages.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    patches = torch.full((1, 1, SIDE, SIDE, SIDE), -700.0)
    patches[0, 0, 6, 6, 6] = 100.0
    network(patches)
    [channels] = seen
    assert channels.shape == (1, 6, 12, 12, 12)
    # voxel 6 of the patch is voxel 0 of its middle half, and in voxel 3 of the whole at half the resolution
    fine, coarse = torch.full((12, 12, 12), 0.25), torch.full((12, 12, 12), 0.25)
    fine[0, 0, 0] = 0.75
    coarse[3, 3, 3] = 0.25 + 0.5 / 8
    torch.testing.assert_close(channels[0, 2], fine)
    torch.testing.assert_close(channels[0, 5], coarse)
    # the windows are those of the network without a mask: -700 and 100 HU of -1000 to 400
    torch.testing.assert_close(channels[0, 0, 0, 0, :2], torch.tensor([1100.0 / 1400.0, 300.0 / 1400.0]))
    torch.testing.assert_close(channels[0, 1, 0, 0, :2], torch.tensor([260.0 / 400.0, 0.0]))


def test_one_scale_sees_the_mask_of_the_whole_patch():
    network = network_of().eval()
    network.intensity.mask.network = Bones()
    torch.testing.assert_close(network.intensity(hu())[:, 1], torch.where(hu()[:, 0] > 0, 0.75, 0.25))
    before = network(hu())["nodule"]
    network.intensity.mask.network = nn.Module()
    network.intensity.mask.network.forward = lambda hu: {"mask": torch.zeros_like(hu)}
    assert not torch.equal(network(hu())["nodule"], before)


def test_a_network_starts_from_the_first_member_of_a_detector(path, tmp_path):
    network = network_of()
    assert network.start_from(path) == "masks of the detector of recipe random, final"
    member = load_model(path).members[0]
    torch.testing.assert_close(network.intensity.mask(hu()), member(hu())["mask"].sigmoid(), rtol=0, atol=0)
    assert network.start_from(of_fold(path, "fold3", 3)).endswith("fold3")
    # as a detector of two members, whose second differs
    model = load_model(path)
    other = copy.deepcopy(model.members[0])
    other.mask.bias.data += 1.0
    card = type(model.card).from_content(model.card.to_content() | {"best_steps": (1, 1)})
    save_model(path, Model(card, (model.members[0], other)))
    again = network_of()
    again.start_from(path)
    torch.testing.assert_close(again.intensity.mask(hu()), network.intensity.mask(hu()), rtol=0, atol=0)


def test_a_detector_of_another_fold_is_refused(path):
    wrong = of_fold(path, "fold3", 2)
    with pytest.raises(LeakError, match=r"fold3/detector\.safetensors: expected the detector of the folder fold3"):
        network_of().start_from(wrong)
    (moved := path.parents[1] / "fold1").mkdir()
    with pytest.raises(LeakError, match="found that of final"):
        network_of().start_from(path.rename(moved / path.name))


def test_another_network_a_scorer_and_an_untrained_mask_are_refused(path):
    write_random_part(path, "detector", ball_detector({"kind": "center_net", "output_stride": 2, "channels": [4, 6]}))
    with pytest.raises(ValueError, match=r"the network of scorer\.network\.detector, .*\[4, 8\].* found .*6\]"):
        network_of().start_from(path)
    untrained = DETECTOR.model_dump()
    untrained["training"]["objective"]["mask_weight"] = 0.0
    write_random_part(path, "detector", type(DETECTOR).model_validate(untrained))
    with pytest.raises(ValueError, match=r"expected a detector with a trained mask, found .*mask_weight 0"):
        network_of().start_from(path)
    write_random_part(path, "scorer", ball_scorer())
    with pytest.raises(ValueError, match="expected a detector, found a scorer"):
        network_of().start_from(path)


def test_no_training_without_the_weights_of_a_detector():
    with pytest.raises(ValueError, match=r"scorer\.network\.weights_path: expected the file of a trained detector"):
        network_of().train()(hu())


def test_a_stored_scorer_needs_no_detector_beside_it(path, cpu, tmp_path):
    part = masked_scorer(DETECTOR, weights_path="detector.safetensors")
    stored = write_random_part(tmp_path / "scorer.safetensors", "scorer", part)
    path.unlink()
    model = load_model(stored)
    again = load_model(stored)
    assert model.card.settings["network"]["weights_path"] == "detector.safetensors"
    patches = hu(side=16)
    torch.testing.assert_close(model.members[0](patches), again.members[0](patches), rtol=0, atol=0)
    scorer = Scorer(model, model.card.part.inference, cpu)
    folded, whole = scorer.members[0](patches), model.members[0](patches)
    torch.testing.assert_close(folded["nodule"], whole["nodule"], rtol=1e-4, atol=1e-4)
