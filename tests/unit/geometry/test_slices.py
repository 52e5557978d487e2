"""Slices of places, by hand."""

import pytest

from lungpipe.geometry import Grid
from lungpipe.geometry.slices import slice_number

UP = Grid((10, 4, 4), (2.5, 1.0, 1.0), (100.0, 0.0, 0.0))
DOWN = Grid((10, 4, 4), (2.5, 1.0, 1.0), (100.0, 0.0, 0.0), ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)))


@pytest.mark.parametrize(
    ("grid", "z_mm", "expected"),
    [
        (UP, 100.0, 1),
        (UP, 101.3, 2),
        (UP, 122.5, 10),
        (UP, 90.0, 1),
        (UP, 400.0, 10),
        (DOWN, 97.4, 2),
        (DOWN, 101.0, 1),
    ],
)
def test_the_slice_is_the_nearest_one_of_the_array(grid, z_mm, expected):
    assert slice_number(grid, (z_mm, 1.0, 2.0)) == expected
