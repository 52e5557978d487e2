"""Draws: what they are called, how large they are, and that one setting does not move another's."""

import numpy as np
import pytest

from lungpipe.sampling.draws import KEY_LIMIT, SYMMETRIES, draw_augmentation, rotation_matrices
from lungpipe.settings.recipe import AugmentationSettings

NONE = AugmentationSettings(has_symmetries=False, hu_scale=0.0, hu_shift=0.0)
ALL = AugmentationSettings(
    rotation_deg=30.0, zoom=0.2, hu_scale=0.1, hu_shift=70.0, noise_hu=25.0, blur_vox=0.8, cutout_vox=5
)


def draw(settings, size=4000, seed=1):
    return draw_augmentation(np.random.default_rng(seed), size, settings)


def test_nothing_is_drawn_for_what_is_not_asked():
    assert draw(NONE) == {}
    assert sorted(draw(AugmentationSettings())) == ["hu_scale", "hu_shift", "symmetry"]
    assert sorted(draw(ALL)) == [
        "blur_vox", "cutout_place", "cutout_vox", "hu_scale", "hu_shift",
        "noise_hu", "noise_key", "rotation", "symmetry", "zoom",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("zoom", 0.8, 1.2),
        ("hu_scale", 0.9, 1.1),
        ("hu_shift", -70.0, 70.0),
        ("noise_hu", 0.0, 25.0),
        ("noise_key", 0, KEY_LIMIT),
        ("blur_vox", 0.0, 0.8),
        ("cutout_vox", 1, 5),
    ],
)
def test_draws_fill_their_range(name, low, high):
    values = draw(ALL)[name]
    assert values.dtype == np.float32
    assert values.shape == (4000,)
    assert values.min() >= np.float32(low)
    assert values.max() <= np.float32(high)
    assert values.min() == pytest.approx(low, abs=0.01 * (high - low))
    assert values.max() == pytest.approx(high, abs=0.01 * (high - low))
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))


def test_whole_numbers_are_whole():
    draws = draw(ALL)
    for name in ("cutout_vox", "noise_key"):
        assert np.array_equal(draws[name], np.rint(draws[name]))
    assert set(draws["cutout_vox"]) == {1, 2, 3, 4, 5}


def test_one_setting_does_not_move_the_draws_of_another():
    every = draw(ALL)
    for name, values in draw(AugmentationSettings()).items():
        np.testing.assert_array_equal(values, every[name])


def test_the_symmetries_are_the_48_of_the_cube():
    assert len({matrix.tobytes() for matrix in SYMMETRIES}) == 48
    assert all(np.array_equal(matrix @ matrix.T, np.eye(3)) for matrix in SYMMETRIES)
    assert sorted({round(np.linalg.det(matrix)) for matrix in SYMMETRIES}) == [-1, 1]
    drawn, counts = np.unique(draw(ALL, 48_000)["symmetry"].reshape(-1, 9), axis=0, return_counts=True)
    assert len(drawn) == 48
    assert counts.min() > 850
    assert counts.max() < 1150


def test_a_rotation_about_z_turns_y_towards_x():
    quarter = rotation_matrices(np.array([[1.0, 0, 0]]), np.array([np.pi / 2]))[0]
    np.testing.assert_allclose(quarter @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(quarter @ [1, 0, 0], [1, 0, 0], atol=1e-12)


def test_rotations_are_rotations_and_reach_the_largest_angle_about_axes_everywhere():
    rotation = draw(ALL)["rotation"].astype(float)
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (4000, 3, 3)), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-6)
    angles = np.rad2deg(np.arccos((np.trace(rotation, axis1=1, axis2=2) - 1) / 2))
    assert 29.5 < angles.max() <= 30.01
    axes = np.stack([rotation[:, 2, 1] - rotation[:, 1, 2], rotation[:, 0, 2] - rotation[:, 2, 0],
                     rotation[:, 1, 0] - rotation[:, 0, 1]], axis=1)  # fmt: skip
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    # evenly on the sphere: every coordinate has the mean 0 and the mean square 1/3
    assert np.abs(axes.mean(axis=0)).max() < 0.05
    np.testing.assert_allclose((axes**2).mean(axis=0), 1 / 3, atol=0.02)
