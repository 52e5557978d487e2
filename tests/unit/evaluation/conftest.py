"""Small tables by hand: positions are (x, y, z) in mm, as in LUNA16's files."""

import pandas as pd
import pytest


def _table(rows, column):
    columns = ["series_uid", "center_x_mm", "center_y_mm", "center_z_mm", column]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"series_uid": "str", **dict.fromkeys(columns[1:], "float64")})


@pytest.fixture
def marks():
    """Rows (series, x, y, z, probability)."""
    return lambda *rows: _table(rows, "probability")


@pytest.fixture
def findings():
    """Rows (series, x, y, z, diameter)."""
    return lambda *rows: _table(rows, "diameter_mm")
