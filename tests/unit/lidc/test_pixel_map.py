"""Where a reading lies: from a grid, from excluded findings, or nowhere."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.geometry import Grid
from lungpipe.lidc.pixel_map import PixelMap, fit_pixel_map
from lungpipe.lidc.xml import PointMark, Reading

MARKS = [(-10.0, 100, 200), (-12.5, 300, 50), (-12.5, 120, 220), (40.0, 7, 9)]


def reading(marks):
    return Reading("a.xml", "1.2", 1, (), tuple(PointMark(0, "non_nodule", z, y, x) for z, y, x in marks))


def findings(marks, scale=0.75, offset=(-150.25, 80.5), diameter=-1.0):
    rows = [(z, offset[0] + scale * y, offset[1] + scale * x, diameter) for z, y, x in marks]
    return pd.DataFrame(rows, columns=["center_z_mm", "center_y_mm", "center_x_mm", "diameter_mm"], dtype=float)


@pytest.mark.parametrize("scale", [0.75, -0.6])
def test_spacing_and_origin_follow_from_the_marks(scale):
    fitted = fit_pixel_map(reading(MARKS), findings(MARKS, scale))
    assert fitted.source == "exclusions"
    assert fitted.scale_yx_mm == pytest.approx((scale, scale))
    assert fitted.offset_yx_mm == pytest.approx((-150.25, 80.5))
    assert fitted.to_world((3.0, 10, 20)) == pytest.approx((3.0, -150.25 + 10 * scale, 80.5 + 20 * scale))


def test_rows_with_a_diameter_are_no_marks():
    outlined = findings([(0.0, 1, 2)], diameter=5.0)
    mixed = pd.concat([findings(MARKS[:2]), outlined, findings(MARKS[2:])])
    assert fit_pixel_map(reading(MARKS), mixed).scale_yx_mm == pytest.approx((0.75, 0.75))


def test_two_marks_in_one_row_suffice():
    marks = [(1.0, 100, 200), (2.0, 100, 260)]
    assert fit_pixel_map(reading(marks), findings(marks)).scale_yx_mm == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize(
    "rows",
    [
        findings(MARKS[:3]),
        findings(MARKS[::-1]),
        findings(MARKS).assign(center_y_mm=lambda table: table["center_y_mm"] + [0, 0, 0, 0.1]),
        findings(MARKS).assign(center_z_mm=lambda table: table["center_z_mm"] + [0, 0, 0.2, 0]),
        findings(MARKS).assign(center_x_mm=lambda table: table["center_x_mm"] * 1.001),
    ],
    ids=["fewer rows", "another order", "a row beside the line", "another height", "no square pixels"],
)
def test_rows_that_are_not_those_marks_give_no_map(rows):
    assert fit_pixel_map(reading(MARKS), rows) is None


@pytest.mark.parametrize("marks", [[], [(1.0, 5, 6)], [(1.0, 5, 6), (3.0, 5, 6)]])
def test_marks_at_one_pixel_decide_nothing(marks):
    assert fit_pixel_map(reading(marks), findings(marks)) is None


def test_a_grid_places_pixels_as_it_places_voxels():
    grid = Grid((5, 40, 50), (2.5, 0.6, 0.7), (-10.0, 30.0, 40.0), ((1, 0, 0), (0, -1, 0), (0, 0, -1)))
    pixels = PixelMap.from_grid(grid)
    np.testing.assert_allclose(pixels.to_world((-5.0, 7, 9)), grid.to_world((2, 7, 9)))
    assert pixels.source == "scan"
