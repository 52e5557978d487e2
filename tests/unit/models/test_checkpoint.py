"""Checkpoints: whole, reproducible, and aware of what they saw."""

import pytest
import torch
from safetensors.torch import save_file

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.models import Classifier, ModelCard, Segmenter, load_checkpoint, read_card, save_checkpoint
from lungpipe.settings import ClassifierSettings, SegmenterSettings

SPLIT = Split(3, ("1.1", "1.2"), ("1.5",), ("1.9",))


def build(seed=0, channels=(2, 3)):
    torch.manual_seed(seed)
    return Segmenter(SegmenterSettings(channels=channels))


@pytest.fixture
def card():
    return ModelCard.of("segmenter", {"channels": [2, 3]}, SPLIT, data_digest="d1", best_step=40)


@pytest.fixture
def path(tmp_path, card):
    save_checkpoint(tmp_path / "segmenter.safetensors", build(), card)
    return tmp_path / "segmenter.safetensors"


def test_weights_and_card_come_back(path, card):
    other = build(seed=1)
    assert load_checkpoint(path, other, fold=3) == card
    expected = build().state_dict()
    assert list(other.state_dict()) == list(expected)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in other.state_dict().items())


def test_the_card_says_what_the_weights_saw(path):
    card = read_card(path)
    assert (card.network, card.settings, card.fold) == ("segmenter", {"channels": [2, 3]}, 3)
    assert (card.training_uids, card.validation_uids) == (("1.1", "1.2"), ("1.5",))
    assert (card.data_digest, card.best_step) == ("d1", 40)


def test_equal_content_gives_equal_bytes(path, card, tmp_path):
    save_checkpoint(tmp_path / "again.safetensors", build(), card)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["again.safetensors", "segmenter.safetensors"]


def test_weights_of_another_fold_are_refused_and_not_loaded(path):
    network = build(seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(LeakError, match="segmenter: expected weights of fold 4, found weights of fold 3"):
        load_checkpoint(path, network, fold=4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(("uids", "first"), [(["1.9", "1.2"], "1.2"), (["1.5"], "1.5"), (["1.5", "1.1"], "1.1")])
def test_series_of_training_or_validation_are_refused(card, uids, first):
    with pytest.raises(LeakError, match=rf"segmenter of fold 3: .* found {len(set(uids) - {'1.9'})} .* first {first}$"):
        card.refuse_seen(uids)


def test_series_that_were_never_seen_pass(card):
    card.refuse_seen(["1.9", "1.99"])
    card.refuse_other_fold(3)


def test_files_that_are_no_checkpoints_are_named(tmp_path):
    (tmp_path / "noise.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"noise\.safetensors: expected a checkpoint in safetensors"):
        read_card(tmp_path / "noise.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match=r"bare\.safetensors: expected a checkpoint with a model card"):
        read_card(tmp_path / "bare.safetensors")


@pytest.mark.parametrize("other", [build(channels=(2, 4)), Classifier(ClassifierSettings(channels=(2,)))])
def test_weights_of_another_network_are_refused(path, other):
    with pytest.raises(
        ValueError, match=r"segmenter\.safetensors: expected weights of this network, found a segmenter's"
    ):
        load_checkpoint(path, other, fold=3)
