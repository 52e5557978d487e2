"""Slices as people count them: from 1, along the first axis of the array."""

from numpy.typing import ArrayLike

from lungpipe.geometry.grid import Grid


def slice_number(grid: Grid, point_zyx_mm: ArrayLike) -> int:
    """Return the slice of the grid, from 1, that is nearest to a world point (zyx, LPS mm).

    Of a point outside the grid that is the first or the last slice.
    """
    index = round(float(grid.to_index(point_zyx_mm)[0]))
    return min(max(index, 0), grid.shape_zyx[0] - 1) + 1
