"""Volumes of labelled lungs, and the overlap of two sets of labels."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.lungs.sides import LEFT, RIGHT

_NUM_LABELS = 3


def side_volumes(lungs: NDArray[np.uint8], grid: Grid) -> tuple[float, float]:
    """Return the volume of the left and of the right lung, ml."""
    # plane by plane: the comparison stays in the cache
    left, right = (sum(int(np.count_nonzero(plane == side)) for plane in lungs) for side in (LEFT, RIGHT))
    return left * grid.voxel_volume_mm3 / 1000.0, right * grid.voxel_volume_mm3 / 1000.0


def count_overlap(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of voxels with each pair of labels (3, 3): rows for the first array, columns for the second."""
    sides = (LEFT, RIGHT)
    counts = np.zeros((_NUM_LABELS, _NUM_LABELS), dtype=np.int64)
    # plane by plane: the comparisons stay in the cache
    for mine, other in zip(ours, theirs, strict=True):
        rows, columns = ([labels == side for side in sides] for labels in (mine, other))
        shared = np.array([[np.count_nonzero(row & column) for column in columns] for row in rows])
        counts[1:, 1:] += shared
        counts[1:, 0] += [np.count_nonzero(row) for row in rows] - shared.sum(axis=1)
        counts[0, 1:] += [np.count_nonzero(column) for column in columns] - shared.sum(axis=0)
    counts[0, 0] = ours.size - counts.sum()
    return counts


def dice(overlap: NDArray[np.int64], *sides: int) -> float:
    """Return the Dice overlap of the union of `sides`, from `count_overlap`; NaN if both are empty."""
    chosen = list(sides)
    size = overlap[chosen].sum() + overlap[:, chosen].sum()
    return float(2 * overlap[np.ix_(chosen, chosen)].sum() / size) if size else float("nan")
