"""Blur, scale, shift, noise and cutout, each by the numbers drawn for its patch."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from lungpipe.settings.recipe import AugmentationSettings
from lungpipe.terms import AIR_HU
from lungpipe.training.change_hu import blur, change, cut_out, noise

SETTINGS = AugmentationSettings()


def mixed(whole):
    """MurmurHash3's 32-bit finaliser on Python's integers."""
    whole %= 2**32
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        whole = (whole ^ (whole >> shift)) * factor % 2**32
    return whole ^ (whole >> 16)


def normal(key, index, num_voxels):
    """Box and Muller's number from the upper 24 bits of two hashes."""
    num_pairs = (num_voxels + 1) // 2
    first = mixed((index % num_pairs) ^ mixed(key + 0x9E3779B9))
    second = mixed(first + 0x7F4A7C15)
    turn = math.cos if index < num_pairs else math.sin
    return math.sqrt(-2 * math.log(((first >> 8) + 1) / 2**24)) * turn(2 * math.pi * (second >> 8) / 2**24)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def numbers(*values, device="cpu"):
    return torch.tensor(values, dtype=torch.float32, device=device)


def test_hu_are_scaled_above_air_and_shifted(device):
    hu = numbers(-1024.0, 0.0, 100.0, device=device).reshape(1, 1, 1, 3).repeat(2, 1, 1, 1)
    draws = {"hu_scale": numbers(1.1, 0.9, device=device), "hu_shift": numbers(50.0, -20.0, device=device)}
    changed = change(hu, draws, SETTINGS)
    # (0 + 1024) x 1.1 - 1024 + 50 = 152.4
    np.testing.assert_allclose(changed[0].flatten().cpu(), [-974.0, 152.4, 262.4], atol=1e-3)
    np.testing.assert_allclose(changed[1].flatten().cpu(), [-1044.0, -122.4, -32.4], atol=1e-3)


@pytest.mark.parametrize(("draw", "expected"), [({"hu_scale": 1.5}, 512.0), ({"hu_shift": -3.0}, -3.0), ({}, 0.0)])
def test_scale_and_shift_come_one_without_the_other(draw, expected):
    draws = {name: numbers(value) for name, value in draw.items()}
    assert float(change(torch.zeros(1, 1, 1, 1), draws, SETTINGS)) == pytest.approx(expected)


def test_a_blur_is_scipys_of_its_own_width(device):
    rng = np.random.default_rng(0)
    hu = rng.normal(0, 100, (3, 12, 13, 14)).astype(np.float32)
    sigmas = [0.0, 0.5, 0.9]
    smooth = blur(torch.as_tensor(hu, device=device), numbers(*sigmas, device=device), 1.0).cpu().numpy()
    np.testing.assert_allclose(smooth[0], hu[0], atol=1e-4)
    for row in (1, 2):
        expected = ndimage.gaussian_filter(hu[row], sigmas[row], radius=3, mode="nearest")
        np.testing.assert_allclose(smooth[row], expected, atol=1e-3)


def test_a_blur_spreads_a_voxel_along_every_axis_alike():
    hu = torch.zeros(1, 9, 9, 9)
    hu[0, 4, 4, 4] = 1000.0
    smooth = blur(hu, numbers(0.7), 0.7)[0]
    assert float(smooth.sum()) == pytest.approx(1000.0, rel=1e-5)
    assert float(smooth[3, 4, 4]) == float(smooth[4, 3, 4]) == float(smooth[4, 4, 3]) == float(smooth[4, 4, 5])
    assert float(smooth[4, 4, 3] / smooth[4, 4, 4]) == pytest.approx(np.exp(-0.5 / 0.49), rel=1e-5)


def test_noise_is_standard_normal_and_not_related_between_neighbours_and_keys(device):
    values = noise(numbers(1.0, 2.0, device=device), (40, 40, 40)).cpu()
    assert values.shape == (2, 40, 40, 40)
    assert values.dtype == torch.float32
    for row in values:
        assert float(row.mean()) == pytest.approx(0.0, abs=0.02)
        assert float(row.std()) == pytest.approx(1.0, abs=0.02)
        assert float((row.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
        assert float((row.abs() > 3).float().mean()) == pytest.approx(0.0027, abs=0.001)
        for axis in range(3):
            assert abs(float((row * row.roll(1, axis)).mean())) < 0.02
    assert abs(float((values[0] * values[1]).mean())) < 0.02
    # the two numbers of a pair are half a patch apart
    assert abs(float((values[:, :20] * values[:, 20:]).mean())) < 0.02


def test_noise_is_a_function_of_key_and_voxel_alone(device):
    key = 16_777_215
    alone = noise(numbers(key, device=device), (3, 5, 5)).cpu()
    together = noise(numbers(1.0, key, device=device), (3, 5, 5)).cpu()
    assert torch.equal(alone[0], together[1])
    np.testing.assert_allclose(alone.flatten(), [normal(key, index, 75) for index in range(75)], atol=1e-5)


def test_noise_has_its_own_width_for_every_patch():
    draws = {"noise_hu": numbers(0.0, 20.0), "noise_key": numbers(3.0, 4.0)}
    changed = change(torch.full((2, 20, 20, 20), -500.0), draws, SETTINGS)
    assert (changed[0] == -500).all()
    assert float(changed[1].std()) == pytest.approx(20.0, rel=0.05)
    assert float(changed[1].mean()) == pytest.approx(-500.0, abs=1.0)


def cut(findings, side, place, *, size=6, spacing=(1.0, 1.0, 1.0), device="cpu"):
    rows = torch.tensor(findings, dtype=torch.float32, device=device).reshape(1, -1, 5)
    draws = {"cutout_vox": numbers(side, device=device), "cutout_place": numbers(*place, device=device)[None]}
    hu = torch.zeros(1, size, size, size, device=device)
    return cut_out(hu, rows, draws, spacing)[0].cpu()


def test_a_cube_of_air_lies_where_it_was_drawn(device):
    # a cube of 2 in 6 voxels has 5 places: 0, half and all of the way are 0, 2 and 4
    found = cut([], 2.0, (0.0, 0.5, 1.0), device=device)
    expected = torch.zeros(6, 6, 6)
    expected[0:2, 2:4, 4:6] = AIR_HU
    assert torch.equal(found, expected)


def test_a_cube_larger_than_the_patch_is_the_patch():
    assert (cut([], 9.0, (0.3, 0.3, 0.3)) == AIR_HU).all()


@pytest.mark.parametrize(
    ("finding", "is_cut"),
    [
        # the cube spans -3 to -1 mm along each axis
        ((-2.0, -2.0, -2.0, 1.0, 1), False),
        ((-2.0, -2.0, 0.5, 2.8, 1), True),
        ((-2.0, -2.0, 0.5, 3.2, 1), False),
        ((-2.0, 0.5, -2.0, 3.2, 1), False),
        ((0.5, -2.0, -2.0, 3.2, 2), False),
        # at a corner the distance is sqrt(3) x 1.5 mm = 2.6 mm
        ((0.5, 0.5, 0.5, 5.0, 1), True),
        ((0.5, 0.5, 0.5, 5.4, 1), False),
        ((-2.0, -2.0, -2.0, 9.0, 0), True),
        ((-2.0, -2.0, 4.5, -1.0, 2), True),
        ((-2.0, -2.0, 3.5, -1.0, 2), False),
    ],
)
def test_a_cube_that_would_touch_a_finding_is_left_out(finding, is_cut, device):
    found = cut([finding], 2.0, (0.0, 0.0, 0.0), device=device)
    assert int((found == AIR_HU).sum()) == (8 if is_cut else 0)


def test_voxels_that_are_no_cubes_are_measured_in_millimetres():
    # voxels of 2 mm along z: the cube spans -6 to -2 mm there
    assert (cut([(-0.5, -2.0, -2.0, 2.8, 1)], 2.0, (0, 0, 0), spacing=(2.0, 1.0, 1.0)) == AIR_HU).any()
    assert not (cut([(-0.5, -2.0, -2.0, 3.2, 1)], 2.0, (0, 0, 0), spacing=(2.0, 1.0, 1.0)) == AIR_HU).any()


def test_one_patchs_finding_spares_no_other_patch():
    findings = torch.tensor([[[0.0, 0, 0, 4.0, 1]], [[0.0, 0, 0, 0.0, 0]]])
    draws = {"cutout_vox": numbers(4.0, 4.0), "cutout_place": torch.full((2, 3), 0.5)}
    found = cut_out(torch.zeros(2, 6, 6, 6), findings, draws, (1.0, 1.0, 1.0))
    assert [int((patch == AIR_HU).sum()) for patch in found] == [0, 64]
