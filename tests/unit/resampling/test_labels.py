"""Labels resampled by nearest neighbour."""

import numpy as np

from lungpipe.geometry import Grid
from lungpipe.resampling.resample import resample_labels


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
