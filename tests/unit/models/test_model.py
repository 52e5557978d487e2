"""Model files: whole, reproducible, rebuilt from themselves, and refused in clear words."""

import json
import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lungpipe.datasets.folds import Split
from lungpipe.models import Model, ModelCard, build_network, join_models, load_model, read_card, save_model
from lungpipe.models.weights_file import save_tensors
from lungpipe.settings.recipe import (
    Cnn3dSettings,
    DetectorInference,
    DetectorSampling,
    DetectorTraining,
    ResNetSettings,
    ScorerInference,
    ScorerSampling,
    ScorerTraining,
    TrainedDetector,
    TrainedScorer,
    UNetSettings,
)
from lungpipe.tables import IrregularFileError

SPLIT = Split(3, ("1.1", "1.2"), ("1.5",), ("1.9",))


@dataclass
class Outcome:
    best_step: int
    best_score: float


def detector(**network):
    return TrainedDetector(
        network=UNetSettings(**{"channels": (2, 3), "windows_hu": ((-1000, 400), (-160, 240)), **network}),
        sampling=DetectorSampling(patch_size_vox=16, max_offset_vox=4),
        training=DetectorTraining(num_steps=5, batch_size=2, learning_rate=0.01, num_members=2),
        inference=DetectorInference(tile_size_vox=48, halo_vox=8),
    )


def scorer(network):
    training = ScorerTraining(num_steps=5, batch_size=2, learning_rate=0.01)
    inference = ScorerInference()
    return TrainedScorer(network=network, sampling=ScorerSampling(), training=training, inference=inference)


def make_model(part=None, num_members=2, role="detector", **changes):
    part = part or detector()
    torch.manual_seed(0)
    members = tuple(build_network(part.network).eval() for _ in range(num_members))
    outcomes = [Outcome(40 + k, 0.5 + k) for k in range(num_members)]
    card = ModelCard.of(
        role, "small", part, (1.0, 0.7, 0.7), split=SPLIT, data_digest="d1", outcomes=outcomes, patient_ids=["P1", "P5"]
    )
    return Model(replace(card, **changes), members)


@pytest.fixture
def path(tmp_path):
    save_model(tmp_path / "detector.safetensors", make_model())
    return tmp_path / "detector.safetensors"


def rewrite(path, change_tensors=None, change_card=None, card_text=None):
    with safe_open(path, framework="pt") as stream:
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        card = json.loads(stream.metadata()["card"])["content"]
    if change_tensors:
        change_tensors(tensors)
    if change_card:
        change_card(card)
    if card_text is None:
        save_tensors(path, tensors, card)
    else:
        save_file(tensors, path, metadata={"card": card_text})


@torch.inference_mode()
@pytest.mark.parametrize(
    ("part", "role"),
    [
        (detector(), "detector"),
        (scorer(ResNetSettings(channels=(2, 3))), "scorer"),
        (scorer(Cnn3dSettings(channels=(2, 3, 4), hidden=(5, 4))), "scorer"),
    ],
)
def test_a_model_comes_back_from_its_file_alone_and_computes_the_same(tmp_path, part, role):
    model = make_model(part, role=role)
    save_model(tmp_path / "m.safetensors", model)
    loaded = load_model(tmp_path / "m.safetensors", expect_role=role)
    assert loaded.card == model.card
    assert loaded.card.part == part
    hu = torch.randint(-1000, 400, (1, 1, 16, 16, 16), dtype=torch.int16)
    for member, expected in zip(loaded.members, model.members, strict=True):
        assert not member.training
        for name, output in expected(hu).items():
            assert torch.equal(member(hu)[name], output)
    first, second = (member(hu)[next(iter(part.network.heads))] for member in loaded.members)
    assert not torch.equal(first, second)


def test_equal_content_gives_equal_bytes_whatever_the_memory_format(path, tmp_path):
    model = make_model()
    for member in model.members:
        member.to(memory_format=torch.channels_last_3d)
    save_model(tmp_path / "again.safetensors", model)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["again.safetensors", "detector.safetensors"]


def test_loading_leaves_the_random_state_alone(path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(path)
    assert torch.equal(torch.rand(3), expected)


def test_no_uid_is_in_the_file(tmp_path):
    uid, patient = "1.3.6.1.4.1.14519.5.2.1", "LIDC-IDRI-0001"
    card = ModelCard.of(
        "detector",
        "small",
        detector(),
        (1.0, 1.0, 1.0),
        split=Split(0, (uid + ".1",), (uid + ".2",), (uid + ".3",)),
        data_digest="d",
        outcomes=[Outcome(1, 0.5)],
        patient_ids=[patient],
    )
    save_model(tmp_path / "m.safetensors", Model(card, make_model(num_members=1).members))
    content = (tmp_path / "m.safetensors").read_bytes()
    assert uid.encode() not in content
    assert patient.encode() not in content


def drop(name):
    return lambda content: content.pop(name)


def put(name, value):
    return lambda content: content.__setitem__(name, value)


NAN = torch.full((8, 2, 1, 1, 1), float("nan"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"change_tensors": drop("member1.head.bias")}, "expected a tensor member1.head.bias, found none"),
        ({"change_tensors": put("member2.head.bias", torch.zeros(8))}, "found member2.head.bias beside them"),
        ({"change_tensors": put("member0.head.bias", torch.zeros(9))}, r"member0.head.bias: .* \(8,\), found \(9,\)"),
        (
            {"change_tensors": put("member0.head.weight", NAN)},
            "member0.head.weight: expected finite weights",
        ),
        ({"card_text": "{"}, "model card: expected JSON, found"),
        ({"card_text": "[1]"}, "model card: expected a JSON object, found list"),
        ({"card_text": "null"}, "model card: expected a JSON object, found NoneType"),
        ({"card_text": '{"format_version": 1}'}, "expected format version 2, found 1"),
        ({"change_card": put("format_version", 99)}, "expected format version 2, found 99"),
        ({"change_card": drop("format_version")}, "expected format version 2, found None"),
        ({"change_card": drop("figures")}, "model card: expected the keys .*, missing or unknown: figures"),
        ({"change_card": put("extra", 1)}, "model card: expected the keys .*, missing or unknown: extra"),
        ({"change_card": put("role", "judge")}, "expected the role detector or scorer, found 'judge'"),
        ({"change_card": put("role", "scorer")}, r"model card: settings: network\S*: Input tag 'unet' found"),
        ({"change_card": put("best_steps", [1])}, "found member1.head.bias beside them"),
        ({"change_card": put("best_steps", [1, 2, 3])}, "expected a tensor member2.head.bias, found none"),
    ],
)
def test_each_kind_of_wrong_file_is_refused_in_its_own_words(path, changes, expected):
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=rf"detector\.safetensors: .*{expected}"):
        load_model(path)


def test_every_flipped_bit_is_noticed(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    card, length = read_card(path), int.from_bytes(content[:8], "little")
    expected = {name: tensor.clone() for name, tensor in load_model(path).members[1].state_dict().items()}
    num_refused = 0
    # half of the bits in the header, which holds the card, half in the weights
    for low, high in [(0, 8 + length), (8 + length, len(content))] * 40:
        place = int(rng.integers(low * 8, high * 8))
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found = load_model(path)
        except ValueError as error:
            num_refused += str(path) in str(error)
            continue
        # a bit that changes nothing, such as a blank of the header
        assert found.card == card
        state = found.members[1].state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in expected.items())
    assert num_refused > 70


def test_a_pipe_is_no_model_and_holds_up_nobody(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(IrregularFileError, match=r"model\.safetensors: expected a file, found a pipe"):
        load_model(tmp_path / "model.safetensors")


def test_weights_of_other_settings_are_refused(path):
    other = detector(channels=(2, 4)).model_dump(mode="json")
    rewrite(path, change_card=put("settings", other))
    with pytest.raises(ValueError, match=r"decoder\.0\.first\.0\.weight: .* \(2, 6, 3, 3, 3\), found \(2, 5, 3, "):
        load_model(path)


def test_a_file_that_was_cut_off_is_refused(path):
    content = path.read_bytes()
    for size in (len(content) - 1, len(content) // 2, 100):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=rf"expected \d+ bytes, found {size}: the file was cut off"):
            read_card(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="expected a model in safetensors, found"):
        read_card(path)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_a_header_whose_length_begins_as_a_pickle_does_is_no_pickle(tmp_path):
    path = tmp_path / "m.safetensors"
    for length in range(0, 256, 8):
        save_model(path, make_model(num_members=1, recipe="r" * (length + 1)))
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert load_model(path).card.recipe == "r" * (length + 1)


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_is_refused_and_not_run(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write(Trap(), tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"m\.safetensors: expected a model in safetensors, found a pickle"):
        load_model(tmp_path / "m.safetensors")
    assert not Path("sprung").exists()


def test_other_files_are_named(tmp_path):
    (tmp_path / "noise").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="noise: expected a model in safetensors, found"):
        read_card(tmp_path / "noise")
    save_file({"weight": torch.zeros(1)}, tmp_path / "bare")
    with pytest.raises(ValueError, match="bare: expected a model card, found safetensors without one"):
        read_card(tmp_path / "bare")
    with pytest.raises(FileNotFoundError, match="absent"):
        read_card(tmp_path / "absent")


def test_a_model_of_another_role_is_refused(path):
    with pytest.raises(ValueError, match=r"detector\.safetensors: .*: expected a scorer, found a detector"):
        load_model(path, expect_role="scorer")


def test_a_model_that_does_not_fit_its_card_is_not_written(tmp_path):
    model = make_model()
    with pytest.raises(ValueError, match=r"expected 2 members as on the card and at least one, found 1"):
        save_model(tmp_path / "m.safetensors", Model(model.card, model.members[:1]))
    with pytest.raises(ValueError, match="found 0"):
        save_model(tmp_path / "m.safetensors", Model(replace(model.card, best_steps=()), ()))
    with torch.no_grad():
        model.members[1].head.bias[3] = float("inf")
    with pytest.raises(ValueError, match=r"member1\.head\.bias: expected finite weights"):
        save_model(tmp_path / "m.safetensors", model)
    assert list(tmp_path.iterdir()) == []


def test_models_join_to_an_ensemble_that_is_stored_and_loaded(tmp_path):
    one, two = make_model(), make_model(num_members=1, fold=4)
    save_model(tmp_path / "m.safetensors", join_models([one, two]))
    loaded = load_model(tmp_path / "m.safetensors")
    assert len(loaded.members) == 3
    assert loaded.card.fold is None
