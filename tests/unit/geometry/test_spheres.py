import numpy as np
import pytest

from lungpipe.geometry import Grid, hits, radius_mm, sphere_mask


def test_hit_is_strict_and_by_radius():
    centers, diameters = [(0.0, 0.0, 0.0)], [10.0]
    points = [(0.0, 3.0, 3.9999), (0.0, 3.0, 4.0), (5.0, 0.0, 0.0), (4.999, 0.0, 0.0)]
    assert hits(points, centers, diameters)[:, 0].tolist() == [True, False, False, True]


def test_negative_diameter_means_ten_millimetres():
    assert radius_mm([-1, 6.0, -3]).tolist() == [5.0, 3.0, 5.0]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (0.5, 1.5, 1.0)])
def test_sphere_holds_its_volume(spacing):
    shape = tuple(int(60 / s) for s in spacing)
    grid = Grid(shape, spacing, (-30.0, -30.0, -30.0))
    volume = sphere_mask(grid, (0.3, -0.2, 0.1), 40.0).sum() * grid.voxel_volume_mm3
    assert volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.02)


def test_sphere_on_an_oblique_grid_lies_at_its_centre():
    c, s = np.cos(0.5), np.sin(0.5)
    grid = Grid((40, 40, 40), (1.0, 1.0, 1.0), (5.0, 5.0, 5.0), ((1, 0, 0), (0, c, -s), (0, s, c)))
    center = grid.to_world((20, 18, 22))
    mask = sphere_mask(grid, center, 12.1)
    np.testing.assert_allclose(grid.to_world(np.argwhere(mask)).mean(axis=0), center, atol=1e-6)
    assert mask.sum() == pytest.approx(4 / 3 * np.pi * 6.05**3, rel=0.05)


def test_tiny_sphere_marks_its_nearest_voxel():
    mask = sphere_mask(Grid((5, 5, 5), (2.0, 2.0, 2.0)), (4.9, 4.9, 4.9), 0.1)
    assert np.argwhere(mask).tolist() == [[2, 2, 2]]


def test_sphere_outside_the_grid_marks_nothing():
    assert not sphere_mask(Grid((5, 5, 5)), (100, 100, 100), 8.0).any()
