"""Scores: windows around centres, the mean of views and members."""

from itertools import product

import numpy as np
import pytest
import torch

from lungpipe.geometry import Grid
from lungpipe.inference.scorer import Scorer, flipped_views
from lungpipe.models import Model
from lungpipe.terms import AIR_HU
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import MemoryVolume

CENTERS = [[-20.0, 30.0, 25.0], [-13.2, 22.4, 20.1], [-4.0, 47.0, 38.0], [-38.0, 13.0, 9.0], [10.0, 60.0, 50.0]]


def patches(count=3, side=20, seed=0):
    return np.random.default_rng(seed).integers(-1000, 400, (count, side, side, side)).astype(np.int16)


def plain(member, hu):
    with torch.inference_mode():
        output = member(torch.from_numpy(np.ascontiguousarray(hu))[:, None])
    return output["nodule"].numpy(), 1 / (1 + np.exp(-output["malignancy"].numpy()))


def scorer_of(models, cpu, **settings):
    model = models.scorer(**settings)
    return Scorer(model, model.card.part.inference, cpu), model.members


def check(scores, expected, atol=2e-5):
    np.testing.assert_allclose(scores.nodule_logits, expected[0], atol=atol)
    np.testing.assert_allclose(scores.malignancy, expected[1], atol=atol)


def test_one_view_is_the_patch_itself(models, cpu):
    scorer, [member] = scorer_of(models, cpu, num_views=1)
    check(scorer.score_patches(patches()), plain(member, patches()))


@pytest.mark.parametrize("num_views", [2, 4, 8])
def test_views_are_averaged_before_the_probability(models, cpu, num_views):
    scorer, [member] = scorer_of(models, cpu, num_views=num_views)
    flips = sorted(product((0, 1), repeat=3), key=sum)[:num_views]
    each = [plain(member, np.flip(patches(), [axis + 1 for axis in range(3) if flip[axis]])) for flip in flips]
    logits = [np.mean([nodule for nodule, _ in each], axis=0), np.mean([np.log(m / (1 - m)) for _, m in each], axis=0)]
    found = scorer.score_patches(patches())
    check(found, (logits[0], 1 / (1 + np.exp(-logits[1]))))
    assert np.abs(found.nodule_logits - each[0][0]).max() > 1e-4


def test_a_patch_and_its_mirror_image_score_the_same_with_all_views_only(models, cpu):
    for num_views, is_same in ((8, True), (1, False)):
        scorer, _ = scorer_of(models, cpu, num_views=num_views)
        one, other = (scorer.score_patches(hu).nodule_logits for hu in (patches(), patches()[:, :, ::-1]))
        assert (np.abs(one - other).max() < 1e-5) == is_same


def test_views_are_eight_different_flips_the_plain_one_first():
    hu = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    views = [tuple(view.flatten().tolist()) for view in flipped_views(hu, 8)]
    assert len(set(views)) == 8
    assert views[0] == tuple(range(8))
    assert views[1:4] == [tuple(np.flip(hu.numpy(), axis).ravel()) for axis in (4, 3, 2)]


def test_the_logits_of_an_ensemble_are_the_mean_of_its_members(models, cpu):
    scorer, members = scorer_of(models, cpu, num_members=2, num_views=1)
    first, second = (plain(member, patches())[0] for member in members)
    np.testing.assert_allclose(scorer.score_patches(patches()).nodule_logits, (first + second) / 2, atol=2e-5)


@pytest.mark.parametrize("patches_per_batch", [1, 2, 3, 4, 6])
def test_the_batch_changes_no_bit(models, cpu, patches_per_batch):
    scorer, _ = scorer_of(models, cpu, num_views=2, patches_per_batch=patches_per_batch)
    whole, _ = scorer_of(models, cpu, num_views=2, patches_per_batch=100)
    one, other = (s.score_patches(patches(7)) for s in (scorer, whole))
    np.testing.assert_array_equal(one.nodule_logits, other.nodule_logits)
    np.testing.assert_array_equal(one.malignancy, other.malignancy)


def test_a_patch_is_the_window_around_its_centre_and_air_beyond_the_volume(models, cpu):
    grid = Grid((12, 12, 12), (2.0, 1.0, 1.0), (4.0, -3.0, 8.0))
    hu = np.arange(12**3, dtype=np.int16).reshape(grid.shape_zyx)
    scorer, _ = scorer_of(models, cpu, patch=9)
    # voxel (5.3, 6.4, 2.6): the window of 9 starts at round(index - 4)
    [patch] = scorer.cut(MemoryVolume("1.3", grid, hu), grid.to_world([5.3, 6.4, 2.6]))
    assert patch.shape == (9, 9, 9)
    np.testing.assert_array_equal(patch[:, :, 1:], hu[1:10, 2:11, 0:8])
    assert (patch[:, :, 0] == AIR_HU).all()


def test_stored_and_in_memory_score_the_same_in_the_order_of_the_centres(models, cpu, volume, write_store):
    scorer, _ = scorer_of(models, cpu, num_views=2, patches_per_batch=2)
    store = write_store("1.3", volume.hu, volume.grid.spacing_zyx_mm, origin=volume.grid.origin_zyx_mm)
    one, other = scorer.score(volume, CENTERS), scorer.score(open_volume(store), CENTERS)
    np.testing.assert_array_equal(one.nodule_logits, other.nodule_logits)
    backwards = scorer.score(volume, CENTERS[::-1])
    np.testing.assert_allclose(backwards.nodule_logits[::-1], one.nodule_logits, atol=1e-6)
    assert len(set(one.nodule_logits.round(6))) == len(CENTERS)


def test_no_centres_give_no_scores(models, cpu, volume):
    scorer, _ = scorer_of(models, cpu)
    scores = scorer.score(volume, np.zeros((0, 3)))
    assert (len(scores), scores.nodule_logits.shape, scores.malignancy.shape) == (0, (0,), (0,))


def test_dropout_is_off_whatever_mode_the_network_comes_in(models, cpu):
    model = models.scorer()
    trained = Model(model.card, tuple(member.train() for member in model.members))
    scorer = Scorer(trained, model.card.part.inference, cpu)
    one, other = scorer.score_patches(patches()), scorer.score_patches(patches())
    np.testing.assert_array_equal(one.nodule_logits, other.nodule_logits)
