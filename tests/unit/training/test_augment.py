"""Augmentation as a whole: order, margin, and what validation sees."""

import math

import numpy as np
import pytest
import torch

from lungpipe.sampling.batch import Batch
from lungpipe.sampling.draws import draw_augmentation
from lungpipe.settings.recipe import AugmentationSettings
from lungpipe.terms import AIR_HU
from lungpipe.training.augment import augment, centre_crop, margin_for

EVERYTHING = AugmentationSettings(rotation_deg=180.0, zoom=0.2, noise_hu=20.0, blur_vox=1.0, cutout_vox=4)
NOTHING = AugmentationSettings(has_symmetries=False, hu_scale=0.0, hu_shift=0.0)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def build(settings, window, *, size=6, seed=0, spacing=(1.0, 1.0, 1.0)):
    """Random windows, a finding in each, and the draws that the settings ask for."""
    rng = np.random.default_rng(seed)
    hu = torch.as_tensor(rng.integers(-1000, 400, (size, window, window, window)), dtype=torch.int16)
    findings = torch.as_tensor(rng.uniform(-4, 4, (size, 2, 5)), dtype=torch.float32)
    findings[..., 3], findings[..., 4] = 5.0, torch.tensor([1.0, 2.0])
    draws = {name: torch.from_numpy(values) for name, values in draw_augmentation(rng, size, settings).items()}
    labels = {"is_nodule": torch.arange(size, dtype=torch.float32)}
    mask = (hu > -300).to(torch.uint8)
    weight = torch.arange(size, dtype=torch.float32) + 0.5
    return Batch(hu, mask, findings, labels, weight, draws, spacing, np.arange(size), ("1.1",) * size)


def test_patches_carry_one_channel_and_the_rest_of_the_batch(device):
    margin = margin_for(EVERYTHING, 8)
    batch = build(EVERYTHING, 8 + 2 * margin).to(device)
    patches = augment(batch, EVERYTHING, 8)
    assert patches.hu_BCZYX.shape == (6, 1, 8, 8, 8)
    assert patches.hu_BCZYX.dtype == torch.float32
    assert patches.mask_BZYX.shape == (6, 8, 8, 8)
    assert patches.findings_BK5.shape == (6, 2, 5)
    assert patches.labels is batch.labels
    assert torch.equal(patches.weight_B, batch.weight_B)
    assert patches.spacing_zyx_mm == batch.spacing_zyx_mm
    assert len(patches) == 6
    tensors = (patches.hu_BCZYX, patches.mask_BZYX, patches.findings_BK5)
    assert {tensor.device.type for tensor in tensors} == {device.type}


@pytest.mark.gpu
def test_cuda_changes_patches_as_the_cpu_does():
    settings = EVERYTHING
    batch = build(settings, 16 + 2 * margin_for(settings, 16))
    here, there = augment(batch, settings, 16), augment(batch.to("cuda"), settings, 16)
    difference = (here.hu_BCZYX - there.hu_BCZYX.cpu()).abs()
    assert float(difference.max()) < 0.5
    assert torch.allclose(here.findings_BK5, there.findings_BK5.cpu(), atol=1e-4)


@pytest.mark.gpu
def test_nothing_waits_for_the_device():
    batch = build(EVERYTHING, 16 + 2 * margin_for(EVERYTHING, 16)).to("cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment(batch, EVERYTHING, 16)
        augment(build_on_device(batch), AugmentationSettings(), 16)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def build_on_device(batch):
    from dataclasses import replace

    draws = {name: batch.draws[name] for name in ("symmetry", "hu_scale", "hu_shift")}
    return replace(batch, draws=draws)


def test_a_batch_is_changed_the_same_every_time_and_row_by_row():
    margin = margin_for(EVERYTHING, 8)
    batch = build(EVERYTHING, 8 + 2 * margin)
    whole = augment(batch, EVERYTHING, 8)
    again = augment(batch, EVERYTHING, 8)
    assert torch.equal(whole.hu_BCZYX, again.hu_BCZYX)
    parts = [augment(part, EVERYTHING, 8) for part in batch.split(2)]
    assert torch.allclose(torch.cat([part.hu_BCZYX for part in parts]), whole.hu_BCZYX, atol=1e-3)
    assert torch.equal(torch.cat([part.findings_BK5 for part in parts]), whole.findings_BK5)


def test_the_batch_itself_is_not_changed():
    batch = build(EVERYTHING, 8 + 2 * margin_for(EVERYTHING, 8))
    before = [tensor.clone() for tensor in (batch.hu_BZYX, batch.findings_BK5, batch.mask_BZYX)]
    augment(batch, EVERYTHING, 8)
    after = (batch.hu_BZYX, batch.findings_BK5, batch.mask_BZYX)
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("changes", "is_hu_changed", "are_findings_changed"),
    [
        ({}, False, False),
        ({"has_symmetries": True}, True, True),
        ({"rotation_deg": 20.0}, True, True),
        ({"zoom": 0.1}, True, True),
        ({"hu_scale": 0.1}, True, False),
        ({"hu_shift": 50.0}, True, False),
        ({"noise_hu": 10.0}, True, False),
        ({"blur_vox": 1.0}, True, False),
        ({"cutout_vox": 3}, True, False),
    ],
)
def test_every_setting_changes_what_it_says(changes, is_hu_changed, are_findings_changed):
    settings = NOTHING.model_copy(update=changes)
    batch = build(settings, 16 + 2 * margin_for(settings, 16))
    plain, patches = centre_crop(batch, 16), augment(batch, settings, 16)
    assert torch.equal(plain.hu_BCZYX, patches.hu_BCZYX) != is_hu_changed
    assert torch.equal(plain.findings_BK5, patches.findings_BK5) != are_findings_changed


def test_a_cutout_stays_air_whatever_else_is_changed():
    settings = NOTHING.model_copy(update={"hu_shift": 70.0, "noise_hu": 30.0, "blur_vox": 1.0, "cutout_vox": 5})
    batch = build(settings, 20)
    patches = augment(batch, settings, 20)
    is_air = patches.hu_BCZYX[:, 0] == AIR_HU
    volumes = is_air.sum(dim=(1, 2, 3))
    sides = batch.draws["cutout_vox"]
    assert all(int(n) in (0, round(float(side) ** 3)) for n, side in zip(volumes, sides, strict=True))
    assert volumes.any()


def test_noise_is_not_blurred():
    settings = NOTHING.model_copy(update={"noise_hu": 30.0, "blur_vox": 1.0})
    batch = build(settings, 16)
    batch.hu_BZYX.fill_(-500)
    batch.draws["noise_hu"].fill_(30.0)
    noise = augment(batch, settings, 16).hu_BCZYX[:, 0] + 500
    assert float(noise.std()) == pytest.approx(30.0, rel=0.05)


def test_the_border_of_the_window_never_shows():
    """All but the outermost voxels are 0: linear interpolation meets the border only if the margin is too narrow."""
    for settings in (
        NOTHING.model_copy(update={"rotation_deg": 180.0}),
        NOTHING.model_copy(update={"rotation_deg": 10.0, "zoom": 0.2}),
        EVERYTHING.model_copy(
            update={"noise_hu": 0.0, "hu_shift": 0.0, "hu_scale": 0.0, "blur_vox": 0.0, "cutout_vox": 0}
        ),
    ):
        for spacing in ((1.0, 1.0, 1.0), (2.0, 1.0, 0.7)):
            window = 11 + 2 * (margin_for(settings, 11, spacing) + 1)
            batch = build(settings, window, size=300, spacing=spacing)
            batch.hu_BZYX.fill_(1000)
            batch.hu_BZYX[:, 1:-1, 1:-1, 1:-1] = 0
            assert not augment(batch, settings, 11).hu_BCZYX.any()


@pytest.mark.parametrize(
    ("changes", "patch", "spacing", "expected"),
    [
        ({}, 32, (1.0, 1.0, 1.0), 0),
        # any rotation: 15.5 x sqrt(3) = 26.85, 11.35 more than 15.5
        ({"rotation_deg": 180.0}, 32, (1.0, 1.0, 1.0), 12),
        ({"rotation_deg": 60.0}, 32, (1.0, 1.0, 1.0), 12),
        # a corner is 54.74 degrees from each axis: 26.85 x cos(44.74 degrees) = 19.07
        ({"rotation_deg": 10.0}, 32, (1.0, 1.0, 1.0), 4),
        # 15.5 / 0.9 = 17.22
        ({"zoom": 0.1}, 32, (1.0, 1.0, 1.0), 2),
        ({"rotation_deg": 180.0, "zoom": 0.1}, 32, (1.0, 1.0, 1.0), 15),
        # half a patch is 31 x 15.5 x 15.5 mm, its corner 37.97 mm away: 37.97 voxels along y
        ({"rotation_deg": 180.0}, 32, (2.0, 1.0, 1.0), 23),
        ({"rotation_deg": 180.0}, 1, (1.0, 1.0, 1.0), 0),
    ],
)
def test_the_margin_by_hand(changes, patch, spacing, expected):
    settings = NOTHING.model_copy(update={"has_symmetries": True, **changes})
    assert margin_for(settings, patch, spacing) == expected
    assert math.cos(math.acos(1 / math.sqrt(3)) - math.radians(10)) * 15.5 * math.sqrt(3) == pytest.approx(
        19.07, abs=0.01
    )


@pytest.mark.parametrize("window", [8, 9, 13])
def test_windows_without_the_margin_are_refused(window):
    settings = NOTHING.model_copy(update={"rotation_deg": 30.0})
    expected = "patches of 8 voxels with a margin of at least 3 on each side, found "
    with pytest.raises(ValueError, match=expected):
        augment(build(settings, window), settings, 8)


def test_validation_sees_the_middle_unchanged():
    batch = build(EVERYTHING, 12)
    patches = centre_crop(batch, 8)
    assert torch.equal(patches.hu_BCZYX[:, 0], batch.hu_BZYX[:, 2:10, 2:10, 2:10].float())
    assert torch.equal(patches.mask_BZYX, batch.mask_BZYX[:, 2:10, 2:10, 2:10])
    assert torch.equal(patches.findings_BK5, batch.findings_BK5)
    with pytest.raises(ValueError, match="found 12 voxels"):
        centre_crop(batch, 13)
