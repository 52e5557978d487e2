"""Pools: which points a batch is drawn from, and in which shares."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.sampling.plan import FeedPlan
from lungpipe.sampling.pools import HARD, Pools

PLAN = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.5, whole_scan_fraction=0.25)


def table(*rows):
    """Points of (is_nodule, diameter, is_crop)."""
    return pd.DataFrame(rows, columns=["is_nodule", "diameter_mm", "is_crop"]).assign(kind="lung")


MIXED = table(
    (1.0, 5.0, True), (0.0, np.nan, True), (0.0, np.nan, False), (np.nan, np.nan, False), (1.0, 5.0, False)
)  # fmt: skip


def shares(points, plan, num_batches=400):
    pools, rng = Pools.of(points, plan), np.random.default_rng(0)
    drawn = np.concatenate([pools.draw(rng) for _ in range(num_batches)])
    return np.bincount(drawn, minlength=len(points)) / num_batches


def test_a_quarter_of_a_batch_is_from_whole_scans_outside_nodules():
    # 10 on the two nodules, 5 in the whole scan outside its nodule, 5 on any of the five points
    expected = [5 + 1, 1, 2.5 + 1, 2.5 + 1, 5 + 1]
    np.testing.assert_allclose(shares(MIXED, PLAN), expected, atol=0.4)


def test_every_batch_has_the_same_numbers():
    pools, rng = Pools.of(MIXED, PLAN), np.random.default_rng(0)
    assert (pools.num_nodules, pools.num_whole, pools.num_rest) == (10, 5, 5)
    for _ in range(20):
        rows = pools.draw(rng)
        assert len(rows) == 20
        assert np.isin(rows, [2, 3]).sum() >= 5


@pytest.mark.parametrize("is_crop", [True, False])
def test_a_dataset_of_one_kind_draws_as_without_the_fraction(is_crop):
    points = MIXED.assign(is_crop=is_crop)
    alone = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.5)
    one, two = (Pools.of(points, plan).draw(np.random.default_rng(3)) for plan in (PLAN, alone))
    np.testing.assert_array_equal(one, two)


def test_nodules_have_their_share_before_whole_scans():
    plan = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.9, whole_scan_fraction=0.5)
    pools = Pools.of(MIXED, plan)
    assert (pools.num_nodules, pools.num_whole, pools.num_rest) == (18, 2, 0)
    assert len(pools.draw(np.random.default_rng(0))) == 20


def test_small_nodules_are_drawn_in_proportion_to_a_power_of_their_diameter():
    points = table((1.0, 4.0, True), (1.0, 8.0, True), (1.0, np.nan, True), (0.0, np.nan, True))
    plan = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=1.0, small_nodule_power=1.0)
    weights = np.array([1 / 4, 1 / 8, 1 / 10])
    np.testing.assert_allclose(shares(points, plan)[:3], 20 * weights / weights.sum(), atol=0.4)


def test_points_outside_nodules_are_needed_where_a_batch_draws_them():
    plan = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.5, rest="others")
    with pytest.raises(ValueError, match="feed: expected points outside nodules, found none"):
        Pools.of(table((1.0, 4.0, True)), plan)


def test_false_positives_come_before_whole_scans():
    points = pd.concat([MIXED, MIXED[1:2].assign(kind=HARD)], ignore_index=True)
    plan = FeedPlan(
        patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.5, whole_scan_fraction=0.4, hard_fraction=0.25
    )
    pools = Pools.of(points, plan)
    assert (pools.num_nodules, pools.num_hard, pools.num_whole, pools.num_rest) == (10, 5, 5, 0)
    rows = pools.draw(np.random.default_rng(0))
    assert (rows == 5).sum() == 5
    # without a false positive the fraction changes no draw
    alone = FeedPlan(patch_size_vox=8, batch_size=20, seed=1, nodule_fraction=0.5, whole_scan_fraction=0.4)
    one, two = (Pools.of(MIXED, each).draw(np.random.default_rng(3)) for each in (plan, alone))
    np.testing.assert_array_equal(one, two)
