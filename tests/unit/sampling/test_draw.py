"""Batches: their share of nodules, their scaling, and where in a block they are cut."""

import numpy as np
import pytest

from lungpipe.sampling import NODULE, PackedPatches, draw_patches, middle_patches, nodule_shares
from lungpipe.settings import SegmenterSettings
from lungpipe.settings.recipe import TrainingSettings

BATCH = TrainingSettings(num_steps=1, batch_size=10, learning_rate=1e-3)
SETTINGS = SegmenterSettings(patch_size_vox=4, max_offset_vox=2, positive_fraction=0.6, training=BATCH)


def blocks(num_nodule, num_other):
    """Blocks of side 8 whose target is the nodule everywhere, or nowhere; HU 400 and -1000."""
    has_nodule = np.arange(num_nodule + num_other) < num_nodule
    target = np.broadcast_to(has_nodule[:, None, None, None] * NODULE, (len(has_nodule), 8, 8, 8)).astype(np.uint8)
    hu = np.where(target == NODULE, 400, -1000).astype(np.int16)
    return PackedPatches(hu, target, has_nodule, np.full(len(has_nodule), "1.1"))


def draw(packed, settings, rng):
    return draw_patches(packed, nodule_shares(packed), settings, rng)


def num_with_nodule(packed, settings, seed=0):
    _, targets = draw(packed, settings, np.random.default_rng(seed))
    return int((targets == NODULE).all(axis=(1, 2, 3)).sum())


def test_the_share_of_nodules_holds_however_few_there_are():
    counts = [num_with_nodule(blocks(1, 500), SETTINGS, seed) for seed in range(20)]
    # the others come from any block: now and then one more
    assert min(counts) == 6
    assert np.mean(counts) < 6.5


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (1.0, 10)])
def test_the_ends_of_the_share(fraction, expected):
    settings = SETTINGS.model_copy(update={"positive_fraction": fraction})
    assert num_with_nodule(blocks(1, 10**4 if fraction == 0 else 3), settings) == expected


def test_without_nodules_the_batch_is_still_full():
    patches, targets = draw(blocks(0, 3), SETTINGS, np.random.default_rng(0))
    assert patches.shape == targets.shape == (10, 4, 4, 4)
    assert not targets.any()


def test_patches_are_scaled_and_match_their_targets():
    patches, targets = draw(blocks(3, 3), SETTINGS, np.random.default_rng(0))
    assert (patches.dtype, targets.dtype) == (np.float32, np.uint8)
    assert np.array_equal(patches > 0.5, targets == NODULE)


def test_every_offset_is_drawn_and_patch_and_target_are_cut_at_the_same_one():
    places = np.arange(6**3).reshape(1, 6, 6, 6)
    packed = PackedPatches(places.astype(np.int16), places.astype(np.uint8), np.array([True]), np.array(["1.1"]))
    settings = SETTINGS.model_copy(update={"window_hu": (0, 216)})
    rng, starts = np.random.default_rng(0), set()
    for _ in range(30):
        for patch, target in zip(*draw(packed, settings, rng), strict=True):
            # scale and shift keep the order of the voxels
            assert np.array_equal(patch.argsort(axis=None), target.argsort(axis=None))
            starts.add(int(target.min()))
    assert starts == {36 * z + 6 * y + x for z in range(3) for y in range(3) for x in range(3)}


def with_sizes(*volumes_vox):
    """Blocks whose nodule has that many voxels; 0: a block of lung."""
    target = np.zeros((len(volumes_vox), 8, 8, 8), np.uint8)
    for row, volume in enumerate(volumes_vox):
        target[row].ravel()[:volume] = NODULE
    return PackedPatches(target.astype(np.int16), target, np.array(volumes_vox) > 0, np.full(len(target), "1.1"))


def test_a_nodule_of_half_the_diameter_is_drawn_twice_as_often():
    shares = nodule_shares(with_sizes(64, 0, 8))
    assert shares == pytest.approx([1 / 3, 2 / 3])
    settings = SETTINGS.model_copy(update={"positive_fraction": 1.0, "patch_size_vox": 8})
    rng, packed = np.random.default_rng(0), with_sizes(64, 0, 8)
    sizes = np.concatenate([(draw(packed, settings, rng)[1] == NODULE).sum(axis=(1, 2, 3)) for _ in range(100)])
    assert set(sizes) == {8, 64}
    assert (sizes == 8).mean() == pytest.approx(2 / 3, abs=0.05)


def test_without_nodules_there_are_no_shares():
    assert nodule_shares(with_sizes(0, 0)).shape == (0,)


def test_the_middle_is_cut_from_the_middle_the_same_every_time():
    hu = np.arange(2 * 512, dtype=np.int16).reshape(2, 8, 8, 8)
    packed = PackedPatches(hu, (hu % 3).astype(np.uint8), np.array([True, False]), np.array(["1.1", "1.1"]))
    patches, targets = middle_patches(packed, SETTINGS.model_copy(update={"window_hu": (0, 1023)}))
    np.testing.assert_allclose(patches * 1023, hu[:, 2:6, 2:6, 2:6], atol=1e-3)
    np.testing.assert_array_equal(targets, packed.target[:, 2:6, 2:6, 2:6])
