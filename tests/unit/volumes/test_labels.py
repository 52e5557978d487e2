"""Labels: resampled by nearest neighbour, measured, and compared."""

import math

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.volumes.labels import LEFT, RIGHT, count_overlap, dice, resample_labels, side_volumes


def test_nearest_neighbour_by_hand():
    labels = np.array([0, 1, 2, 0], dtype=np.uint8).reshape(1, 1, 4)
    # voxels at 0, 2, 4, 6 mm, seen from -2 to 7 mm; 1, 3 and 5 mm lie half-way and belong to the next
    target = Grid((1, 1, 10), (1.0, 1.0, 1.0), (0.0, 0.0, -2.0))
    resampled = resample_labels(labels, Grid((1, 1, 4), (1.0, 1.0, 2.0)), target)
    assert resampled.dtype == np.uint8
    assert resampled.ravel().tolist() == [0, 0, 0, 1, 1, 2, 2, 0, 0, 0]


def test_a_flipped_grid_keeps_the_world():
    flipped = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, (4, 5, 6), dtype=np.uint8)
    source = Grid(labels.shape, (2.0, 1.0, 1.0), (7.0, 4.0, 5.0), flipped)
    target = source.resampled((2.0, 1.0, 1.0))
    np.testing.assert_array_equal(resample_labels(labels, source, target), labels[:, ::-1, ::-1])


def test_volumes_by_hand():
    lungs = np.zeros((4, 5, 6), dtype=np.uint8)
    lungs[:, :, :2], lungs[:2, :, 4:] = LEFT, RIGHT
    assert side_volumes(lungs, Grid(lungs.shape, (2.0, 5.0, 10.0))) == (4.0, 2.0)


def test_overlap_and_dice_by_hand():
    ours = np.array([1, 1, 1, 2, 2, 0, 0, 0], dtype=np.uint8).reshape(2, 2, 2)
    theirs = np.array([1, 1, 2, 2, 0, 2, 0, 0], dtype=np.uint8).reshape(2, 2, 2)
    overlap = count_overlap(ours, theirs)
    assert overlap.tolist() == [[2, 0, 1], [0, 2, 1], [1, 0, 1]]
    # left: 2 of 3 and 2; right: 1 of 2 and 3; a voxel on the wrong side is lung all the same: 4 of 5 and 5
    assert dice(overlap, LEFT) == pytest.approx(2 * 2 / 5)
    assert dice(overlap, RIGHT) == pytest.approx(2 * 1 / 5)
    assert dice(overlap, LEFT, RIGHT) == pytest.approx(2 * 4 / 10)


def test_a_lung_that_neither_has_is_no_agreement():
    ours = np.array([1, 0], dtype=np.uint8).reshape(1, 1, 2)
    overlap = count_overlap(ours, ours)
    assert dice(overlap, LEFT) == 1.0
    assert math.isnan(dice(overlap, RIGHT))
    assert dice(count_overlap(ours, 2 * ours), LEFT) == 0.0
