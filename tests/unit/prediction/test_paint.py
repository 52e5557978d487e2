"""Masks of candidates: which part of a network's mask is meant, and its voxels on other grids."""

import numpy as np
import pytest

from lungpipe.candidates import MaskCrop
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.prediction.paint import mask_of, paint_nodules, span_on

VOLUME = Grid((60, 60, 60), (1.0, 1.0, 1.0), (-100.0, 20.0, 300.0))
CENTER = np.array([-71.0, 48.0, 331.0])


def ball(diameter_mm=12.0, center=CENTER):
    mask = sphere_mask(VOLUME, center, diameter_mm)
    return MaskCrop((10, 12, 14), mask[10:, 12:, 14:])


def turned(degrees):
    """A direction matrix: the axes z and y turned in their plane, x flipped."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, -1.0))


def grid_around(spacing, direction, half_mm=25.0):
    """A grid of any direction whose middle is CENTER."""
    shape = tuple(int(2 * half_mm / step) for step in spacing)
    start = CENTER - np.asarray(direction) @ ((np.asarray(shape) - 1) / 2 * np.asarray(spacing))
    return Grid(shape, spacing, tuple(start), direction)


@pytest.mark.parametrize("degrees", [0, 20, 90, 180])
@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.5, 0.7, 0.7)])
def test_a_mask_keeps_place_and_volume_on_a_grid_of_any_direction(degrees, spacing):
    grid = grid_around(spacing, turned(degrees))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    paint_nodules(labels, grid, [ball(20.0)], VOLUME)
    voxels = np.argwhere(labels == 1)
    volume_mm3 = len(voxels) * grid.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(ball(20.0).mask.sum() * VOLUME.voxel_volume_mm3, rel=0.05)
    np.testing.assert_allclose(grid.to_world(voxels.mean(axis=0)), CENTER, atol=0.15)
    first, last = span_on(grid, ball(20.0), VOLUME)
    assert np.abs(first - voxels.min(axis=0)).max() <= 1
    assert np.abs(last - voxels.max(axis=0)).max() <= 1


def test_on_its_own_grid_a_mask_is_the_same():
    labels = np.zeros(VOLUME.shape_zyx, np.uint16)
    paint_nodules(labels, VOLUME, [ball()], VOLUME)
    np.testing.assert_array_equal(labels, sphere_mask(VOLUME, CENTER, 12.0))


def test_where_masks_overlap_the_first_keeps_its_voxels():
    labels = np.zeros(VOLUME.shape_zyx, np.uint16)
    other = ball(12.0, CENTER + np.array([0, 0, 6.0]))
    paint_nodules(labels, VOLUME, [ball(), other], VOLUME)
    assert (labels == 1).sum() == ball().mask.sum()
    assert 0 < (labels == 2).sum() < other.mask.sum()


def test_a_mask_between_thick_slices_has_one_voxel():
    # slices at -100, -92, ...: the ball of 3 mm at -97 reaches none
    grid = Grid((6, 60, 60), (8.0, 1.0, 1.0), (-100.0, 20.0, 300.0))
    small = MaskCrop((2, 27, 30), np.ones((2, 2, 2), bool))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    paint_nodules(labels, grid, [small], VOLUME)
    assert [tuple(voxel) for voxel in np.argwhere(labels)] == [(0, 28, 30)]
    labels[:] = 0
    paint_nodules(labels, grid, [small], VOLUME, is_every_one=False)
    assert not labels.any()


def test_a_mask_beyond_the_grid_gets_the_nearest_voxel_or_none():
    grid = Grid((5, 60, 60), (1.0, 1.0, 1.0), (-100.0, 20.0, 300.0))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    paint_nodules(labels, grid, [ball()], VOLUME, is_every_one=False)
    assert not labels.any()
    paint_nodules(labels, grid, [ball()], VOLUME)
    assert [voxel[0] for voxel in np.argwhere(labels)] == [4]


def test_only_the_part_at_the_centre_is_meant():
    crop = ball()
    crop.mask[-4:, -4:, -4:] = True
    found = mask_of(crop, VOLUME, CENTER, 12.0)
    assert found.is_of_network
    np.testing.assert_array_equal(found.crop.mask, ball().mask)


@pytest.mark.parametrize("crop", [None, MaskCrop((10, 12, 14), np.zeros((5, 5, 5), bool)), ball(6.0, CENTER + 15.0)])
def test_without_a_mask_at_the_centre_the_mask_is_a_ball(crop):
    found = mask_of(crop, VOLUME, CENTER, 9.0)
    assert not found.is_of_network
    whole = np.zeros(VOLUME.shape_zyx, np.uint16)
    paint_nodules(whole, VOLUME, [found.crop], VOLUME)
    np.testing.assert_array_equal(whole, sphere_mask(VOLUME, CENTER, 9.0))


@pytest.mark.parametrize("center", [CENTER + 0.4, np.array([-100.4, 20.0, 300.0]), np.array([-41.0, 79.0, 359.4])])
def test_a_ball_smaller_than_a_voxel_is_one_voxel(center):
    found = mask_of(None, VOLUME, center, 0.5)
    assert found.crop.mask.sum() == 1
    place = np.argwhere(found.crop.mask)[0] + found.crop.start_zyx_vox
    np.testing.assert_allclose(VOLUME.to_world(place), center, atol=0.5)
