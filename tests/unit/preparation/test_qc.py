import numpy as np
import pandas as pd
import pytest

from lungpipe.geometry import Grid
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.preparation.qc import count_nodules, failed_row, near_lungs, qc_row
from lungpipe.tables import QC

GRID = Grid((20, 30, 40), (2.0, 1.0, 1.5), (-10.0, 5.0, 100.0))
LUNGS = np.zeros(GRID.shape_zyx, np.uint8)
LUNGS[8:12, 10:20, 10:20] = 1


def read(window):
    return window.cut(LUNGS, 0)


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0, 9.0])
def test_near_the_lungs_is_inside_the_dilated_mask(margin):
    dilated = dilate_mm(LUNGS, GRID.spacing_zyx_mm, margin)
    rng = np.random.default_rng(1)
    for index in rng.integers(0, GRID.shape_zyx, (60, 3)):
        assert near_lungs(GRID.to_world(index), GRID, read, margin) == dilated[tuple(index)]


def test_counts_by_hand():
    centers = GRID.to_world([(9, 15, 15), (9, 23, 15), (0, 0, 0), (-1, 15, 15), (9, 15, 41)])
    counts = count_nodules(centers, GRID, read, 5.0)
    assert counts == {"num_nodules": 5, "num_nodules_outside_volume": 2, "num_nodules_outside_lungs": 3}
    assert count_nodules(np.empty((0, 3)), GRID, read, 5.0)["num_nodules"] == 0


def test_rows_keep_the_contract():
    good = qc_row("1.2", 3, "1.2.mhd", count_nodules(np.empty((0, 3)), GRID, read, 5.0))
    bad = failed_row("1.3", 3, "1.3.mhd", num_nodules=2, reason="no voxels")
    table = QC.conform(pd.DataFrame([good, bad]))
    assert table["is_ok"].tolist() == [True, False]
    assert table["num_nodules_outside_lungs"].tolist() == [0, 2]
    assert table["reason"].tolist() == ["", "no voxels"]
