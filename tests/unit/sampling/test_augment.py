"""Augmentation: one of 48 symmetries, the target along with it, and a mild change of intensity."""

import numpy as np
import pytest

from lungpipe.sampling import augment


def rng(seed=0):
    return np.random.default_rng(seed)


def corner_patches(count):
    """Eight bright and unequal voxels: no symmetry leaves them where they were."""
    patches = np.zeros((count, 4, 4, 4), np.float32)
    patches[:, :2, :2, :2] = np.arange(1, 9).reshape(2, 2, 2) / 8
    return patches


def ranks(patch):
    """A patch up to scale and shift: the rank of every voxel."""
    return np.unique(patch.round(4), return_inverse=True)[1].reshape(patch.shape)


def test_patch_and_target_turn_together():
    patches = corner_patches(60)
    targets = (patches * 8).astype(np.uint8)
    turned, turned_targets = augment(patches, targets, rng(), normalisation="zero_one")
    for patch, target in zip(turned, turned_targets, strict=True):
        np.testing.assert_array_equal(ranks(patch), target)


def test_the_values_of_a_patch_stay_up_to_scale_and_shift():
    patches = rng(1).random((12, 5, 5, 5), dtype=np.float32)
    turned, none = augment(patches, None, rng(), normalisation="zero_one")
    assert none is None
    for before, after in zip(patches, turned, strict=True):
        scale, shift = np.polyfit(np.sort(before, axis=None), np.sort(after, axis=None), 1)
        np.testing.assert_allclose(np.sort(after, axis=None), scale * np.sort(before, axis=None) + shift, atol=1e-5)
        assert 0.9 <= scale <= 1.1
        assert -0.0501 <= shift <= 0.0501


def test_all_48_symmetries_occur_mirror_images_included():
    turned, _ = augment(corner_patches(800), None, rng(), normalisation="zero_one")
    assert len({ranks(patch).tobytes() for patch in turned}) == 48


@pytest.mark.parametrize(("normalisation", "width"), [("zero_one", 1), ("byte", 255), ("zero_centre", 12**0.5)])
def test_the_shift_is_a_share_of_the_window_however_it_is_scaled(normalisation, width):
    shifts, _ = augment(np.zeros((400, 1, 1, 1), np.float32), None, rng(), normalisation=normalisation)
    assert np.abs(shifts).max() == pytest.approx(0.05 * width, rel=0.02)
    assert abs(shifts.mean()) < 0.005 * width


def test_the_input_is_left_alone_and_the_generator_decides():
    patches = corner_patches(5)
    before = patches.copy()
    one, two, other = (augment(patches, None, rng(seed), normalisation="zero_one")[0] for seed in (3, 3, 4))
    assert np.array_equal(patches, before)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
