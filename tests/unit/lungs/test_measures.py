"""Labelled lungs, measured and compared."""

import math

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.lungs.measures import LEFT, RIGHT, count_overlap, dice, side_volumes


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
