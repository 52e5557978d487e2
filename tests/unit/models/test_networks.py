"""What every network promises: HU in, logits by head out, each patch for itself, and every weight learns."""

import pytest
import torch

from lungpipe.models import build_network, resolve
from lungpipe.models.cnn3d import Cnn3d
from lungpipe.models.resnet import ResNet
from lungpipe.settings.recipe import (
    BlockCnnSettings,
    CenterNetSettings,
    Cnn3dSettings,
    ResNetSettings,
    SliceCnnSettings,
    SliceUNetSettings,
    UNetSettings,
)

WINDOWS = ((-1000, 400), (-160, 240))
SETTINGS = {
    "unet": UNetSettings(channels=(2, 3, 4), windows_hu=WINDOWS),
    "plain unet": UNetSettings(channels=(2, 3), stem_stride=1, is_residual=False),
    "coarse unet": UNetSettings(channels=(2, 3), stem_stride=4),
    "slice_unet": SliceUNetSettings(channels=(3, 4), windows_hu=WINDOWS),
    "center_net": CenterNetSettings(channels=(4, 6), windows_hu=WINDOWS),
    "fine center_net": CenterNetSettings(channels=(4, 6, 8), output_stride=2, is_residual=False),
    "adding center_net": CenterNetSettings(channels=(4, 6, 8), output_stride=2, skips="add"),
    "resnet": ResNetSettings(channels=(2, 3), windows_hu=WINDOWS),
    "cnn3d": Cnn3dSettings(channels=(3, 4, 5), hidden=(16, 8), windows_hu=WINDOWS),
    "slice_cnn": SliceCnnSettings(channels=(3, 4, 5), hidden=8, windows_hu=WINDOWS),
    "slice_cnn, three planes": SliceCnnSettings(channels=(3, 4, 5), hidden=8, num_planes=3, aggregate="maximum"),
    "block_cnn": BlockCnnSettings(channels=(4, 5, 6), windows_hu=WINDOWS),
    "block_cnn, two blocks": BlockCnnSettings(channels=(4, 5), tuned_blocks=2),
    "block_cnn, dense layer": BlockCnnSettings(channels=(4, 5), tuned_blocks=0),
}


@pytest.fixture(params=SETTINGS)
def settings(request):
    return SETTINGS[request.param]


def build(settings):
    torch.manual_seed(0)
    return build_network(settings)


def random_hu(batch_size=3, side=16):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-1000, 400, (batch_size, 1, side, side, side), dtype=torch.int16, generator=generator)


@torch.inference_mode()
def test_the_heads_are_those_of_the_settings(settings):
    outputs = build(settings).eval()(random_hu())
    assert set(outputs) == settings.heads
    shapes = {
        "mask": (3, 1, 16, 16, 16),
        "nodule": (3,),
        "malignancy": (3,),
    }
    coarse = 16 // getattr(settings, "output_stride", 1)
    shapes |= {name: (3, n, coarse, coarse, coarse) for name, n in (("heatmap", 1), ("offset", 3), ("diameter", 1))}
    if "place" in settings.heads:
        shapes |= {"place": (3, 2), "diameter": (3,)}
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {name: shapes[name] for name in outputs}


@torch.inference_mode()
def test_hu_may_be_integers_or_floats_of_any_memory_format(settings):
    network, hu = build(settings).eval(), random_hu()
    expected = network(hu)
    again = network.to(memory_format=torch.channels_last_3d)(hu.float().to(memory_format=torch.channels_last_3d))
    for name, output in expected.items():
        torch.testing.assert_close(again[name], output, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_patches_of_a_batch_do_not_see_each_other_in_evaluation(settings):
    network, hu = build(settings).eval(), random_hu()
    together = network(hu)
    assert all(torch.equal(output, together[name]) for name, output in network(hu).items())
    for name, output in together.items():
        alone = torch.cat([network(patch[None])[name] for patch in hu])
        torch.testing.assert_close(alone, output, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_hu_beyond_all_windows_change_nothing(settings):
    network, hu = build(settings).eval(), random_hu().float()
    hu[0, 0, 2:5] = 400
    hu[0, 0, 7] = -1000
    beyond = hu.clone()
    beyond[0, 0, 2:5] = 3000
    beyond[0, 0, 7] = -1024
    assert all(torch.equal(output, network(hu)[name]) for name, output in network(beyond).items())


def test_every_weight_learns(settings):
    # dropout and the largest of a pooling window silence some weights of a small network in a single draw
    network = build(settings).train()
    for seed in range(8):
        torch.manual_seed(seed)
        sum((output - 1).square().mean() for output in network(random_hu()).values()).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@torch.inference_mode()
@pytest.mark.parametrize(
    ("kind", "name"), [("unet", "mask"), ("slice_unet", "mask"), ("center_net", "mask"), ("center_net", "heatmap")]
)
def test_a_new_detector_starts_where_almost_everything_is_background(kind, name):
    assert torch.sigmoid(build(SETTINGS[kind]).eval()(random_hu())[name]).mean() < 0.1


@pytest.mark.parametrize("kind", ["unet", "plain unet", "coarse unet", "slice_unet", "center_net", "fine center_net"])
def test_sides_that_do_not_divide_are_refused(kind):
    settings = SETTINGS[kind]
    stride, network = settings.total_stride, build(settings)
    assert network(torch.zeros(2, 1, stride, 2 * stride, 3 * stride))["mask"].shape[2:] == (
        stride,
        2 * stride,
        3 * stride,
    )
    for axis in range(3):
        sides = [2 * stride] * 3
        sides[axis] += stride // 2
        with pytest.raises(ValueError, match=rf"divisible by {stride} voxels, found \({', '.join(map(str, sides))}\)"):
            network(torch.zeros(1, 1, *sides))


@pytest.mark.parametrize("kind", ["resnet", "cnn3d", "block_cnn", "slice_cnn"])
@pytest.mark.parametrize("side", [9, 24, 33])
def test_scorers_take_patches_of_any_side(kind, side):
    outputs = build(SETTINGS[kind]).eval()(random_hu(batch_size=2, side=side))
    assert outputs["nodule"].shape == outputs["malignancy"].shape == (2,)


@pytest.mark.parametrize("kind", ["resnet", "cnn3d"])
def test_the_heads_of_a_scorer_share_the_trunk_and_nothing_else(kind):
    network = build(SETTINGS[kind]).eval()
    network(random_hu())["nodule"].sum().backward()
    assert network.head.weight.grad[0].any()
    assert not network.head.weight.grad[1].any()


@pytest.mark.parametrize(("network_class", "name"), [(ResNet, "resnet"), (Cnn3d, "cnn3d")])
def test_dropout_is_that_of_the_settings(network_class, name):
    network = network_class(SETTINGS[name].model_copy(update={"dropout": 0.37}))
    assert network.dropout.p == 0.37
    network = network_class(SETTINGS[name].model_copy(update={"dropout": 1.0})).train()
    logits = network(random_hu())["nodule"]
    assert torch.equal(logits, network.head.bias[0].expand(3))


def test_equal_seeds_give_equal_weights(settings):
    one, two = build(settings).state_dict(), build(settings).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "builds", ["lungpipe.models.resnet", "lungpipe.models.nothing:ResNet", "lungpipe.models.resnet:Net"]
)
def test_what_cannot_be_imported_is_named(builds):
    with pytest.raises(ValueError, match=r"builds: expected .* found '.*(resnet|nothing|Net)"):
        resolve(builds)


def test_an_error_inside_an_imported_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_room.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        resolve("broken_room:Name")
