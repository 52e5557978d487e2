import numpy as np
import pytest

from lungpipe.geometry import Grid

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))


def test_from_xyz_reverses_every_triple():
    grid = Grid.from_xyz((512, 500, 100), (0.7, 0.8, 2.5), (-195.0, -190.0, -340.0), np.eye(3).ravel())
    assert grid.shape_zyx == (100, 500, 512)
    assert grid.spacing_zyx_mm == (2.5, 0.8, 0.7)
    assert grid.origin_zyx_mm == (-340.0, -190.0, -195.0)


def test_world_of_a_voxel_by_hand():
    grid = Grid((10, 10, 10), (2.0, 0.5, 0.25), (100.0, 10.0, 1.0))
    np.testing.assert_allclose(grid.to_world((3, 2, 4)), (106.0, 11.0, 2.0))


def test_flipped_axes_run_against_the_world():
    grid = Grid((10, 10, 10), (2.0, 0.5, 0.25), (100.0, 10.0, 1.0), FLIPPED)
    np.testing.assert_allclose(grid.to_world((3, 2, 4)), (106.0, 9.0, 0.0))
    np.testing.assert_allclose(grid.to_index((106.0, 9.0, 0.0)), (3, 2, 4))
    assert not grid.is_axis_aligned


def test_swapped_axes():
    # array axis z runs along world x, axis x along world z
    swapped = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid((4, 5, 6), (3.0, 1.0, 2.0), (0.0, 0.0, 0.0), swapped)
    np.testing.assert_allclose(grid.to_world((1, 0, 0)), (0, 0, 3.0))
    np.testing.assert_allclose(grid.to_world((0, 0, 1)), (2.0, 0, 0))


def test_contains_reaches_half_a_voxel_beyond_the_centres():
    grid = Grid((2, 2, 2), (2.0, 2.0, 2.0))
    assert grid.contains([(-0.9, 0, 0), (-1.1, 0, 0), (2.9, 2.9, 2.9), (3.1, 0, 0)]).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_resampling_a_flipped_grid_starts_at_its_smallest_corner():
    grid = Grid((3, 5, 9), (2.0, 1.0, 0.5), (10.0, 20.0, 30.0), FLIPPED)
    target = grid.resampled((1.0, 1.0, 1.0))
    assert target.origin_zyx_mm == (10.0, 16.0, 26.0)
    assert target.shape_zyx == (5, 5, 5)


def test_resampling_keeps_the_last_voxel_of_whole_steps():
    assert Grid((4, 4, 4), (0.1, 0.1, 0.1)).resampled((0.3, 0.3, 0.3)).shape_zyx == (2, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape_zyx": (0, 1, 1)}, "three positive sizes"),
        ({"shape_zyx": (1, 1)}, "three positive sizes"),
        ({"spacing_zyx_mm": (0.0, 1.0, 1.0)}, "three positive lengths"),
        ({"spacing_zyx_mm": (-1.0, 1.0, 1.0)}, "three positive lengths"),
        ({"spacing_zyx_mm": (float("nan"), 1.0, 1.0)}, "three positive lengths"),
        ({"origin_zyx_mm": (float("inf"), 1.0, 1.0)}, "three finite numbers"),
        ({"direction_zyx": ((1.0, 0, 0), (1.0, 0, 0), (0, 0, 1.0))}, "orthonormal"),
        ({"direction_zyx": ((2.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))}, "orthonormal"),
    ],
)
def test_impossible_grids_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Grid(**{"shape_zyx": (2, 2, 2), **arguments})
