"""Findings near points: which touch a block or a window, and where they are in it."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.sampling.near import list_near

GRID = Grid((40, 40, 40), (2.0, 1.0, 0.5), (-10.0, 5.0, 7.0))
HALF = np.array([8.0, 4.0, 2.0])
"""Half of a window of 8 voxels, mm."""


def look(findings, center_vox, *, shift=(0.0, 0.0, 0.0), side=8):
    near = list_near(np.array(["1.1"], object), np.array([center_vox], float), findings, {"1.1": GRID}, side_vox=side)
    return near.around(np.array([0]), np.array([shift], float), HALF)


def world(*index):
    return tuple(GRID.to_world(index))


def test_positions_are_millimetres_from_the_centre(make_nodules, make_exclusions):
    findings = (
        make_nodules(("1.1", world(21, 22, 20.5), 4.0, None)),
        make_exclusions(("1.1", world(19.5, 20, 21), -1.0)),
    )
    around = look(findings, (20, 20, 20))
    assert around.dtype == np.float32
    np.testing.assert_allclose(around, [[[2.0, 2.0, 0.25, 4.0, 1.0], [-1.0, 0.0, 0.5, 10.0, 2.0]]], atol=1e-6)


def test_a_shifted_window_sees_the_same_finding_elsewhere(make_nodules, make_exclusions):
    findings = make_nodules(("1.1", world(21, 22, 20.5), 4.0, None)), make_exclusions()
    np.testing.assert_allclose(
        look(findings, (20, 20, 20), shift=(1.0, -2.0, 0.5), side=16)[0, 0, :3], [1.0, 4.0, -0.25]
    )


@pytest.mark.parametrize(("z", "is_there"), [(24.9, True), (25.1, False), (15.1, True), (14.9, False)])
def test_a_finding_is_in_the_window_if_its_sphere_reaches_it(make_nodules, make_exclusions, z, is_there):
    # half a window is 4 voxels of 2 mm, the radius 2 mm is one voxel more
    findings = make_nodules(("1.1", world(z, 20, 20), 4.0, None)), make_exclusions()
    assert look(findings, (20, 20, 20)).shape == (1, int(is_there), 5)
    # a block that is larger lists it, the window does not
    assert look(findings, (20, 20, 20), side=20).shape == (1, int(is_there), 5)


def test_every_block_has_its_own_findings_and_the_others_are_padding(make_nodules, make_exclusions):
    grids = {"1.1": Grid((40, 40, 40)), "1.2": Grid((40, 40, 40)), "1.3": Grid((40, 40, 40))}
    nodules = make_nodules(
        ("1.2", (10, 10, 10), 4.0, None), ("1.1", (20, 20, 21), 5.0, None), ("9.9", (10, 10, 10), 4.0, None)
    )
    exclusions = make_exclusions(("1.1", (20, 20, 22), 6.0), ("1.2", (30, 30, 30), 7.0))
    series = np.array(["1.2", "1.1", "1.2", "1.3"], object)
    centers = np.array([(10, 10, 10), (20, 20, 20), (30, 30, 30), (10, 10, 10)], float)
    near = list_near(series, centers, (nodules, exclusions), grids, side_vox=8)
    around = near.around(np.array([3, 1, 0, 2]), np.zeros((4, 3)), np.full(3, 4.0))
    assert around.shape == (4, 2, 5)
    assert around[..., 3].tolist() == [[0, 0], [5, 6], [4, 0], [7, 0]]
    assert around[..., 4].tolist() == [[0, 0], [1, 2], [1, 0], [2, 0]]
    assert not around[0].any()
    assert near.around(np.array([3]), np.zeros((1, 3)), np.full(3, 4.0)).shape == (1, 0, 5)
    assert near.around(np.array([], int), np.zeros((0, 3)), np.full(3, 4.0)).shape == (0, 0, 5)
