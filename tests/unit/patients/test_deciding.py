"""Size classes at their edges."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.geometry import Grid
from lungpipe.patients.deciding import DECIDED_COLUMNS, find_deciding, fleischner_size, lung_rads_size


@pytest.mark.parametrize(
    ("diameter_mm", "fleischner", "lung_rads"),
    [
        (5.4, "< 6 mm", "< 6 mm"),
        (5.6, "6 to 8 mm", "< 6 mm"),
        (6.0, "6 to 8 mm", "6 to < 8 mm"),
        (8.4, "6 to 8 mm", "8 to < 15 mm"),
        (8.5, "> 8 mm", "8 to < 15 mm"),
        (14.9, "> 8 mm", "8 to < 15 mm"),
        (15.0, "> 8 mm", ">= 15 mm"),
    ],
)
def test_size_classes(diameter_mm, fleischner, lung_rads):
    assert (fleischner_size(diameter_mm), lung_rads_size(diameter_mm)) == (fleischner, lung_rads)


def test_a_given_candidate_without_a_diameter_decides_without_size():
    row = {"candidate_id": "a#c0", "series_uid": "a", "center_z_mm": 1.0, "center_y_mm": 2.0, "center_x_mm": 3.0}
    decided = find_deciding(pd.DataFrame([row | {"diameter_mm": np.nan, "risk": 0.4}]), None)
    assert decided["decided_by"] == "a#c0"
    assert [decided[name] for name in DECIDED_COLUMNS[5:]] == [None] * 5


@pytest.mark.parametrize(("z_mm", "expected"), [(-7.0, 1), (4.6, 3), (99.0, 5)])
def test_the_slice_of_a_candidate_beyond_the_volume_is_the_outermost(z_mm, expected):
    # a dataset's candidates may lie outside a crop, and a slice of 0 would break the table of patients
    row = {"candidate_id": "a#c0", "series_uid": "a", "center_z_mm": z_mm, "center_y_mm": 2.0, "center_x_mm": 3.0}
    candidates = pd.DataFrame([row | {"diameter_mm": 6.0, "risk": 0.4}])
    decided = find_deciding(candidates, {"a": Grid((5, 9, 9), (2.0, 1.0, 1.0))})
    assert decided["decided_slice"] == expected
