"""VGG16 in torchvision's layout, and the weights that it takes from a file."""

from pathlib import Path

import pytest
import torch

from lungpipe.models import build_network
from lungpipe.settings.recipe import SliceVgg16Settings

CHANNELS = (2, 3, 4, 5, 6)
NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
WIDTHS = (2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6)


def build(**changes):
    torch.manual_seed(0)
    settings = SliceVgg16Settings.model_validate({"channels": CHANNELS, "hidden": 8, "dropout": 0.0} | changes)
    return build_network(settings)


def file_state(hidden=8):
    """A state_dict in torchvision's layout: 13 convolutions of 2D kernels, three dense layers."""
    generator = torch.Generator().manual_seed(1)
    state, width = {}, 3
    for number, out in zip(NUMBERS, WIDTHS, strict=True):
        state[f"features.{number}.weight"] = torch.randn(out, width, 3, 3, generator=generator)
        state[f"features.{number}.bias"] = torch.randn(out, generator=generator)
        width = out
    for number, (out, inner) in {0: (hidden, 6 * 49), 3: (hidden, hidden), 6: (1000, hidden)}.items():
        state[f"classifier.{number}.weight"] = torch.randn(out, inner, generator=generator)
        state[f"classifier.{number}.bias"] = torch.randn(out, generator=generator)
    return state


@pytest.fixture
def write(tmp_path):
    def put(state):
        torch.save(state, tmp_path / "vgg16.pth")
        return tmp_path / "vgg16.pth"

    return put


def random_hu(side=33):
    return torch.randint(-1000, 400, (2, 1, side, side, side), generator=torch.Generator().manual_seed(1)).float()


def test_layers_have_the_numbers_of_torchvision():
    names = set(build().state_dict())
    expected = {f"features.{number}.{kind}" for number in NUMBERS for kind in ("weight", "bias")}
    assert expected <= names
    assert names - expected == {
        f"{part}.{kind}" for part in ("classifier.0", "classifier.3", "heads.dense") for kind in ("weight", "bias")
    }


def test_the_default_is_vgg16_with_its_number_of_weights():
    with torch.device("meta"):
        network = build_network(SliceVgg16Settings(windows_hu=((-1000, 400),) * 3))
    counted = sum(weight.numel() for name, weight in network.named_parameters() if not name.startswith("heads"))
    # 138,357,544 parameters of VGG16 less the 4,097,000 of its last layer
    assert counted == 138_357_544 - 4_097_000


def test_every_weight_learns():
    network = build().train()
    sum((output - 1).square().mean() for output in network(random_hu()).values()).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@torch.inference_mode()
def test_all_layers_of_a_file_are_copied_where_they_fit(write):
    network, state = build(), file_state()
    assert network.start_from(write(state)).startswith("13 convolutions and 2 of 2 dense layers; the first 0 of 5")
    own = network.state_dict()
    for number in NUMBERS[1:]:
        assert torch.equal(own[f"features.{number}.weight"][:, :, 0], state[f"features.{number}.weight"])
        assert torch.equal(own[f"features.{number}.bias"], state[f"features.{number}.bias"])
    assert torch.equal(own["classifier.3.weight"], state["classifier.3.weight"])


@torch.inference_mode()
@pytest.mark.parametrize("num_windows", [1, 2, 3])
def test_equal_windows_act_as_a_grey_image(write, num_windows):
    network, state = build(windows_hu=[(-1000, 400)] * num_windows), file_state()
    network.start_from(write(state))
    image = torch.rand(1, 1, 1, 9, 9)
    found = network.features[0](image.expand(-1, num_windows, -1, -1, -1))[:, :, 0]
    grey = image[:, 0].expand(-1, 3, -1, -1)
    expected = torch.nn.functional.conv2d(grey, state["features.0.weight"], state["features.0.bias"], padding=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_dense_layers_of_another_width_are_trained_from_scratch(write):
    network = build(hidden=7)
    before = network.classifier[0].weight.clone()
    assert "0 of 2 dense layers" in network.start_from(write(file_state()))
    assert torch.equal(network.classifier[0].weight, before)


def test_frozen_blocks_keep_the_weights_of_the_file(write):
    path = write(file_state())
    network = build(weights_path=str(path), frozen_blocks=2)
    assert "the first 2 of 5 blocks keep them" in network.start_from(path)
    network(random_hu())["nodule"].sum().backward()
    learned = {
        int(name.split(".")[1])
        for name, weight in network.features.named_parameters(prefix="f")
        if weight.grad is not None
    }
    assert learned == set(NUMBERS[4:])


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda state: state.pop("features.28.bias"), r"expected a tensor features\.28\.bias .*, found none"),
        (
            lambda state: state.update({"features.5.weight": torch.zeros(3, 2, 5, 5)}),
            r"features\.5\.weight: expected the shape \(3, 2, 3, 3\), found \(3, 2, 5, 5\)",
        ),
        (lambda state: state.update(epoch=3), "expected tensors by name, found dict"),
    ],
)
def test_other_files_are_refused(write, edit, expected):
    state = file_state()
    edit(state)
    path = write(state)
    with pytest.raises(ValueError, match=rf"vgg16\.pth: {expected}"):
        build().start_from(path)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_nothing_but_tensors_is_unpickled(write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"vgg16\.pth: expected a state_dict of torch\.save, found"):
        build().start_from(write(file_state() | {"more": Trap()}))
    assert not Path("sprung").exists()
    (tmp_path / "noise.pth").write_bytes(b"noise")
    with pytest.raises(ValueError, match=r"noise\.pth: expected a state_dict of torch\.save, found"):
        build().start_from(tmp_path / "noise.pth")
