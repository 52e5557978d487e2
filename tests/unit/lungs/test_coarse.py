import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.lungs.coarse import coarsen, orient, refine, restore

MATRICES = {
    "aligned": ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
    "flipped": ((-1.0, 0, 0), (0, -1.0, 0), (0, 0, 1.0)),
    "permuted": ((0, 0, 1.0), (-1.0, 0, 0), (0, 1.0, 0)),
    "nearly aligned": ((0.96, -0.28, 0), (0.28, 0.96, 0), (0, 0, 1.0)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_oriented_axes_run_upwards_and_come_back(name):
    array = np.random.default_rng(0).integers(0, 255, (3, 4, 5)).astype(np.uint8)
    grid = Grid(array.shape, direction_zyx=MATRICES[name])
    index = np.stack(np.indices(array.shape), axis=-1)
    world = grid.to_world(index)
    for axis in range(3):
        component = orient(world[..., axis].copy(), grid)
        assert (np.diff(component, axis=axis) > 0).all()
    np.testing.assert_array_equal(restore(orient(array, grid), grid), array)


def test_coarse_blocks_hold_means_and_the_last_repeats_its_edge():
    hu = np.zeros((320, 8, 5), np.int16)
    hu[:2, :2, :2] = [[[-100, -200], [-300, -400]]] * 2
    hu[:, :, 4] = 7
    coarse = coarsen(hu, Grid(hu.shape))
    assert coarse.factors == (2, 2, 2)
    assert coarse.spacing_zyx_mm == (2.0, 2.0, 2.0)
    assert coarse.hu.shape == (160, 4, 3)
    assert coarse.hu[0, 0, 0] == -250
    assert (coarse.hu[:, :, 2] == 7).all()


def test_factors_follow_the_spacing_of_each_axis():
    assert coarsen(np.zeros((128, 512, 512), np.int16), Grid((128, 512, 512), (2.5, 0.7, 0.7))).factors == (1, 3, 3)
    assert coarsen(np.zeros((40, 60, 60), np.int16), Grid((40, 60, 60), (5.0, 2.0, 2.0))).factors == (1, 1, 1)


def test_border_is_decided_on_the_fine_grid():
    view = np.full((8, 8, 8), 40, np.int16)
    view[:, :, :3] = -850
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:, :, :2] = 1
    is_air = labels > 0
    fine = refine(labels, is_air, view, factors=(2, 2, 2), limit_hu=-350)
    assert (fine[:, :, :3] == 1).all()
    assert not fine[:, :, 3:].any()


def test_filled_tissue_stays_and_foreign_air_stays_out():
    view = np.full((8, 8, 8), -850, np.int16)
    view[:, 2:4, 2:4] = 40
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:, :, :2] = 2
    is_air = np.ones((4, 4, 4), bool)
    is_air[:, 1, 1] = False
    fine = refine(labels, is_air, view, factors=(2, 2, 2), limit_hu=-350)
    assert (fine[:, 2:4, 2:4] == 2).all()
    assert not fine[:, :, 4:].any()
