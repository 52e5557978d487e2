"""The lung that a place belongs to."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.prediction.sides import side_of

GRID = Grid((40, 40, 100), (2.0, 2.0, 2.0), (0.0, 0.0, -100.0))


@pytest.fixture(scope="module")
def lungs():
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[:, :, 10:40], labels[:, :, 60:90] = 2, 1
    return labels


@pytest.mark.parametrize(
    ("x_mm", "side"),
    [(-50.0, "right"), (50.0, "left"), (-15.0, "right"), (15.0, "left"), (97.0, "left"), (111.0, None)],
)
def test_the_nearest_lung_counts(lungs, x_mm, side):
    # lungs reach from x = -80 to -22 mm (right) and from 20 to 78 mm (left)
    assert side_of(lungs, GRID, (40.0, 40.0, x_mm)) == side


def test_far_from_both_lungs_there_is_no_side(lungs):
    assert side_of(np.zeros_like(lungs), GRID, (40.0, 40.0, 50.0)) is None
