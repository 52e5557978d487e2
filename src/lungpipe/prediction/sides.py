"""The lung, left or right, to which a place belongs."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.geometry import Grid, window_around
from lungpipe.lungs.sides import LEFT, RIGHT

REACH_MM = 30.0
"""A place farther from both lungs than this belongs to neither."""


def side_of(lungs: NDArray[np.uint8], grid: Grid, center_zyx_mm: ArrayLike) -> Literal["left", "right"] | None:
    """Return the lung whose labelled voxel (1 left, 2 right; array zyx on `grid`) is nearest to a world point.

    None if no voxel of a lung is within 30 mm.
    """
    spacing = np.asarray(grid.spacing_zyx_mm)
    index = grid.to_index(center_zyx_mm)
    depth, height, width = (2 * np.ceil(REACH_MM / spacing).astype(int) + 1).tolist()
    window = window_around(index, (depth, height, width))
    near = window.cut(lungs, 0)
    voxels = np.argwhere(near)
    if not len(voxels):
        return None
    distance_mm = np.linalg.norm((voxels + np.asarray(window.start_zyx_vox) - index) * spacing, axis=1)
    nearest = int(np.argmin(distance_mm))
    if distance_mm[nearest] > REACH_MM:
        return None
    sides: dict[int, Literal["left", "right"]] = {LEFT: "left", RIGHT: "right"}
    return sides[int(near[tuple(voxels[nearest])])]
