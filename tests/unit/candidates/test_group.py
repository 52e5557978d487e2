"""Lumps by hand: where they are in the world, how large, how sure."""

import numpy as np
import pytest

from lungpipe.candidates import group_voxels
from lungpipe.geometry import Grid

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))


def test_two_lumps_in_world_mm_through_a_flipped_anisotropic_grid():
    grid = Grid((6, 8, 10), (2.0, 0.5, 0.75), (-10.0, 5.0, 30.0), FLIPPED)
    probability = np.zeros(grid.shape_zyx, np.float32)
    probability[1, 2, 3], probability[1, 2, 4] = 0.5, 1.0
    probability[3, 5, 7] = probability[4, 6, 8] = 0.75
    lumps = group_voxels(probability, grid, 0.2, 1)
    # first: x index (3 * 0.5 + 4 * 1) / 1.5 = 11/3; second: the middle between two voxels that touch at a corner
    expected = [[-10 + 2, 5 - 1, 30 - 0.75 * 11 / 3], [-10 + 7, 5 - 2.75, 30 - 5.625]]
    np.testing.assert_allclose(lumps.centers_zyx_mm, expected, atol=1e-12)
    np.testing.assert_array_equal(lumps.scores, [1.0, 0.75])
    # two voxels of 0.75 mm3: the sphere of 1.5 mm3
    np.testing.assert_allclose(np.pi / 6 * lumps.diameters_mm**3, [1.5, 1.5])


@pytest.mark.parametrize(("min_voxels", "expected"), [(1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (4, [])])
def test_lumps_of_fewer_voxels_are_dropped(min_voxels, expected):
    probability = np.zeros((1, 5, 9), np.float32)
    probability[0, 0, 0] = probability[0, 2, 3:5] = probability[0, 4, 6:9] = 0.9
    lumps = group_voxels(probability, Grid((1, 5, 9)), 0.5, min_voxels)
    np.testing.assert_allclose(np.pi / 6 * lumps.diameters_mm**3, expected)


def test_a_voxel_at_the_threshold_is_not_above_it():
    probability = np.full((1, 1, 1), 0.5, np.float32)
    assert len(group_voxels(probability, Grid((1, 1, 1)), 0.5, 1)) == 0
    assert len(group_voxels(probability, Grid((1, 1, 1)), 0.499, 1)) == 1


def test_nothing_above_the_threshold_gives_no_lumps_of_the_right_shape():
    lumps = group_voxels(np.zeros((3, 3, 3), np.float32), Grid((3, 3, 3)), 0.5, 1)
    assert (lumps.centers_zyx_mm.shape, lumps.diameters_mm.shape, lumps.scores.shape) == ((0, 3), (0,), (0,))


def test_a_ball_gets_its_own_centre_and_diameter_whatever_the_spacing():
    grid = Grid((16, 30, 24), (1.5, 0.8, 1.0), (3.0, -7.0, 11.0))
    points = grid.to_world(np.stack(np.indices(grid.shape_zyx), axis=-1))
    center = np.array([14.2, 4.9, 22.6])
    ball = (np.square(points - center).sum(axis=-1) < 6.0**2).astype(np.float32)
    lumps = group_voxels(ball, grid, 0.5, 1)
    assert lumps.diameters_mm == pytest.approx(12.0, rel=0.02)
    assert np.linalg.norm(lumps.centers_zyx_mm[0] - center) < 0.1


def test_the_centre_leans_to_the_likelier_side():
    probability = np.full((1, 1, 4), 0.6, np.float32)
    probability[0, 0, 3] = 1.0
    lumps = group_voxels(probability, Grid((1, 1, 4)), 0.5, 1)
    assert lumps.centers_zyx_mm[0, 2] == pytest.approx((0.6 * (0 + 1 + 2) + 3) / 2.8)


def test_a_mask_crop_holds_the_voxels_of_its_own_lump_alone():
    probability = np.zeros((4, 6, 8), np.float32)
    for step in range(1, 5):
        probability[1, step, step] = 0.9
    # inside the box of the first lump, but not connected to it
    probability[1, 1, 4] = 0.6
    chain, alone = group_voxels(probability, Grid((40, 60, 80)), 0.5, 1, start_zyx_vox=(10, 20, 30)).mask_crops
    assert chain.start_zyx_vox == (11, 21, 31)
    np.testing.assert_array_equal(chain.mask, np.eye(4, dtype=bool)[None])
    assert (alone.start_zyx_vox, alone.mask.tolist()) == ((11, 21, 34), [[[True]]])


def test_mask_crops_follow_the_lumps_that_are_kept():
    probability = np.zeros((1, 5, 9), np.float32)
    probability[0, 0, 0] = probability[0, 2, 3:5] = probability[0, 4, 6:9] = 0.9
    lumps = group_voxels(probability, Grid((1, 5, 9)), 0.5, 2)
    assert [crop.start_zyx_vox for crop in lumps.mask_crops] == [(0, 2, 3), (0, 4, 6)]


def test_a_box_of_a_volume_gives_the_lumps_of_the_volume():
    grid = Grid((12, 14, 16), (2.0, 1.0, 0.5), (-3.0, 4.0, 5.0))
    probability = np.zeros(grid.shape_zyx, np.float32)
    probability[5:8, 6:9, 7:11] = np.random.default_rng(0).uniform(0.5, 1.0, (3, 3, 4))
    whole = group_voxels(probability, grid, 0.4, 1)
    part = group_voxels(probability[4:10, 5:12, 6:13], grid, 0.4, 1, start_zyx_vox=(4, 5, 6))
    np.testing.assert_allclose(part.centers_zyx_mm, whole.centers_zyx_mm, atol=1e-12)
    assert part.mask_crops[0].start_zyx_vox == whole.mask_crops[0].start_zyx_vox == (5, 6, 7)
