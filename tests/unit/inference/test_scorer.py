"""Scores: windows around centres, the mean of views and members."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from lungpipe.geometry import Grid
from lungpipe.inference.scorer import Sample, Scorer
from lungpipe.models import Model
from lungpipe.models.card import MALIGNANCY_INTERCEPT, MALIGNANCY_MEASURED, MALIGNANCY_SLOPE
from lungpipe.models.measured import MeasuredMalignancy
from lungpipe.tables import CHARACTERISTICS
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import MemoryVolume

CENTERS = [[-20.0, 30.0, 25.0], [-13.2, 22.4, 20.1], [-4.0, 47.0, 38.0], [-38.0, 13.0, 9.0], [10.0, 60.0, 50.0]]


def patches(count=3, side=20, seed=0):
    return np.random.default_rng(seed).integers(-1000, 400, (count, side, side, side)).astype(np.int16)


def samples(hu, diameters=None):
    return [Sample(patch, *([] if diameters is None else [diameters[k]])) for k, patch in enumerate(hu)]


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
    check(scorer.score_samples(samples(patches())), plain(member, patches()))


@pytest.mark.parametrize("num_views", [2, 4, 8])
def test_views_are_averaged_before_the_probability(models, cpu, num_views):
    scorer, [member] = scorer_of(models, cpu, num_views=num_views)
    flips = sorted(product((0, 1), repeat=3), key=sum)[:num_views]
    each = [plain(member, np.flip(patches(), [axis + 1 for axis in range(3) if flip[axis]])) for flip in flips]
    logits = [np.mean([nodule for nodule, _ in each], axis=0), np.mean([np.log(m / (1 - m)) for _, m in each], axis=0)]
    found = scorer.score_samples(samples(patches()))
    check(found, (logits[0], 1 / (1 + np.exp(-logits[1]))))
    assert np.abs(found.nodule_logits - each[0][0]).max() > 1e-4


def test_a_patch_and_its_mirror_image_score_the_same_with_all_views_only(models, cpu):
    for num_views, is_same in ((8, True), (1, False)):
        scorer, _ = scorer_of(models, cpu, num_views=num_views)
        one, other = (scorer.score_samples(samples(hu)).nodule_logits for hu in (patches(), patches()[:, :, ::-1]))
        assert (np.abs(one - other).max() < 1e-5) == is_same


def test_the_logits_of_an_ensemble_are_the_mean_of_its_members(models, cpu):
    scorer, members = scorer_of(models, cpu, num_members=2, num_views=1)
    first, second = (plain(member, patches())[0] for member in members)
    np.testing.assert_allclose(scorer.score_samples(samples(patches())).nodule_logits, (first + second) / 2, atol=2e-5)


@pytest.mark.parametrize("patches_per_batch", [1, 2, 3, 4, 6])
def test_the_batch_changes_no_bit(models, cpu, patches_per_batch):
    scorer, _ = scorer_of(models, cpu, num_views=2, patches_per_batch=patches_per_batch)
    whole, _ = scorer_of(models, cpu, num_views=2, patches_per_batch=100)
    one, other = (s.score_samples(samples(patches(7))) for s in (scorer, whole))
    np.testing.assert_array_equal(one.nodule_logits, other.nodule_logits)
    np.testing.assert_array_equal(one.malignancy, other.malignancy)


def test_a_patch_is_the_window_around_its_centre_and_repeats_the_border_beyond_the_volume(models, cpu):
    grid = Grid((12, 12, 12), (2.0, 1.0, 1.0), (4.0, -3.0, 8.0))
    hu = np.arange(12**3, dtype=np.int16).reshape(grid.shape_zyx)
    scorer, _ = scorer_of(models, cpu, patch=9)
    # voxel (5.3, 6.4, 2.6): the window of 9 starts at round(index - 4)
    [patch] = scorer.cut(MemoryVolume("1.3", grid, hu), grid.to_world([5.3, 6.4, 2.6]))
    assert patch.hu.shape == (9, 9, 9)
    np.testing.assert_array_equal(patch.hu[:, :, 1:], hu[1:10, 2:11, 0:8])
    np.testing.assert_array_equal(patch.hu[:, :, 0], hu[1:10, 2:11, 0])


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
    one, other = scorer.score_samples(samples(patches())), scorer.score_samples(samples(patches()))
    np.testing.assert_array_equal(one.nodule_logits, other.nodule_logits)


def rating_scorer(models, cpu, **settings):
    """A scorer that rates; untrained heads rate everything alike, so their weights are made larger."""
    model = models.rating_scorer(**settings)
    for member in model.members:
        torch.nn.init.normal_(member.ratings.weight, std=1.0)
    return Scorer(model, model.card.part.inference, cpu)


def test_ratings_are_probabilities_on_each_characteristics_scale(models, cpu):
    scores = rating_scorer(models, cpu).score_samples(samples(patches(), [4.0, 9.0, np.nan]))
    assert scores.ratings.shape == (3, 9, 6)
    np.testing.assert_allclose(scores.ratings.sum(axis=-1), 1.0)
    calcification = list(CHARACTERISTICS).index("calcification")
    assert (np.delete(scores.ratings[..., 5], calcification, axis=1) < 1e-6).all()
    assert (scores.ratings[:, calcification, 5] > 1e-6).all()
    by_hand = sum(rating * scores.ratings[..., rating - 1] for rating in range(1, 7))
    np.testing.assert_allclose(scores.expected_ratings, by_hand)


def test_a_scorer_without_ratings_has_none(models, cpu):
    scores = scorer_of(models, cpu)[0].score_samples(samples(patches(), [4.0, 9.0, np.nan]))
    assert scores.ratings is None
    assert scores.expected_ratings is None


def test_each_diameter_goes_with_its_own_patch(models, cpu):
    scorer = rating_scorer(models, cpu, patches_per_batch=2)
    together = scorer.score_samples(samples(patches(), [4.0, 9.0, np.nan]))
    alone = scorer.score_samples(samples(patches()[1:2], [9.0]))
    np.testing.assert_allclose(together.ratings[1:2], alone.ratings, atol=1e-5)
    np.testing.assert_allclose(together.ratings[2:], scorer.score_samples(samples(patches()[2:])).ratings, atol=1e-5)
    assert np.abs(scorer.score_samples(samples(patches()[1:2], [20.0])).ratings - alone.ratings).max() > 1e-3


def test_no_patches_have_no_ratings(models, cpu):
    assert rating_scorer(models, cpu).score_samples(samples([])).ratings.shape == (0, 9, 6)


def test_small_candidates_have_more_views(models, cpu):
    few, many = (scorer_of(models, cpu, num_views=views)[0].score_samples(samples(patches())) for views in (2, 24))
    mixed, _ = scorer_of(models, cpu, num_views=2, num_small_views=24, small_mm=6.0)
    found = mixed.score_samples(samples(patches(), [5.9, 6.0, np.nan]))
    np.testing.assert_allclose(found.nodule_logits[0], many.nodule_logits[0], atol=1e-5)
    np.testing.assert_allclose(found.nodule_logits[1:], few.nodule_logits[1:], atol=1e-5)
    assert np.abs(few.nodule_logits[0] - many.nodule_logits[0]) > 1e-4


def test_turned_views_need_cubic_voxels(models, cpu):
    model = models.scorer(num_views=16)
    flat = Model(replace(model.card, spacing_zyx_mm=(2.0, 1.0, 1.0)), model.members)
    with pytest.raises(ValueError, match="num_views: expected at most 8 where voxels are no cubes, found 16"):
        Scorer(flat, model.card.part.inference, cpu)


def test_malignancy_is_calibrated_by_the_card(models, cpu):
    model = models.scorer(num_views=1)
    figures = {MALIGNANCY_INTERCEPT: -1.5, MALIGNANCY_SLOPE: 0.5}
    calibrated = Model(replace(model.card, figures=figures), model.members)
    one, other = (
        Scorer(each, model.card.part.inference, cpu).score_samples(samples(patches())) for each in (model, calibrated)
    )
    logits = np.log(one.malignancy / (1 - one.malignancy))
    np.testing.assert_allclose(other.malignancy, 1 / (1 + np.exp(1.5 - 0.5 * logits)), rtol=1e-6)
    np.testing.assert_array_equal(other.nodule_logits, one.nodule_logits)


BY_DIAMETER = MeasuredMalignancy(values=("diameter_mm",), knots=((0.0, 10.0, 20.0),), weights=(2.0,), intercept=-1.0)


def measuring(models, cpu, **figures):
    model = models.scorer(num_views=1)
    measured = (BY_DIAMETER, replace(BY_DIAMETER, intercept=-2.0))
    return Scorer(
        Model(replace(model.card, figures=figures, measured=measured), model.members), model.card.part.inference, cpu
    )


def logit(probability):
    return np.log(probability / (1 - probability))


def test_measures_are_weighed_beside_the_network_by_the_card(models, cpu, volume):
    plain = Scorer(model := models.scorer(num_views=1), model.card.part.inference, cpu)
    network = logit(plain.score(volume, CENTERS[:2], [4.0, 10.0]).malignancy)
    # 10 mm is the middle of the knots, a normal score of 0; 4 mm has the rank 0.2, a score of -0.8416
    measures = np.array([-1.5 + 2 * -0.8416, -1.5])
    figures = {MALIGNANCY_INTERCEPT: -0.5, MALIGNANCY_SLOPE: 0.7, MALIGNANCY_MEASURED: 0.2}
    for given, (shift, one, other) in (({}, (0, 0.2, 0.8)), (figures, (-0.5, 0.7, 0.2))):
        found = measuring(models, cpu, **given).score(volume, CENTERS[:2], [4.0, 10.0])
        np.testing.assert_allclose(logit(found.malignancy), shift + one * network + other * measures, atol=1e-4)


def test_improbable_candidates_are_not_measured(models, cpu, volume):
    scorer, diameters = measuring(models, cpu), [4.0, 10.0]
    every = scorer.score(volume, CENTERS[:2], diameters)
    few = scorer.score(volume, CENTERS[:2], diameters, least_measured=float(every.nodule_logits.mean()))
    is_higher = every.nodule_logits > every.nodule_logits.mean()
    network = Scorer(model := models.scorer(num_views=1), model.card.part.inference, cpu).score(volume, CENTERS[:2])
    np.testing.assert_allclose(few.malignancy, np.where(is_higher, every.malignancy, network.malignancy), atol=1e-6)
    assert is_higher.sum() == 1


def test_without_a_diameter_the_network_alone_says_how_malignant(models, cpu, volume):
    plain = Scorer(model := models.scorer(num_views=1), model.card.part.inference, cpu)
    network = plain.score(volume, CENTERS[:2]).malignancy
    np.testing.assert_allclose(measuring(models, cpu).score(volume, CENTERS[:2]).malignancy, network, atol=1e-6)
    mixed = measuring(models, cpu).score(volume, CENTERS[:2], [np.nan, 10.0]).malignancy
    assert mixed[0] == pytest.approx(network[0], abs=1e-6)
    assert abs(mixed[1] - network[1]) > 1e-3
