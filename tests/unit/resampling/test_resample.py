"""Resampling: linear functions of world position stay what they are on any grid."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.resampling.resample import anti_alias_sigma_mm, resample, to_image
from lungpipe.terms import AIR_HU

C, S = np.cos(0.4), np.sin(0.4)
DIRECTIONS = {
    "identity": np.eye(3),
    "flipped": np.diag([1.0, -1.0, -1.0]),
    "permuted": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": np.array([[C, -S, 0], [S, C, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, C, -S], [0, S, C]]),
}


def ramp_scan(direction, shape=(12, 20, 24), spacing=(2.0, 0.9, 0.7)):
    """A scan whose HU are a linear function of the world position."""
    grid = Grid(shape, spacing, (50.0, -20.0, 10.0), tuple(tuple(row) for row in direction.tolist()))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return Scan("1.2", np.rint(_ramp(grid.to_world(index))).astype(np.int16), grid)


def _ramp(world):
    return world @ np.array([11.0, -7.0, 5.0]) - 300


@pytest.mark.parametrize("name", DIRECTIONS)
def test_ramp_in_world_stays_a_ramp(name):
    scan = ramp_scan(DIRECTIONS[name])
    grid = scan.grid.resampled((1.0, 1.0, 1.0))
    hu = resample(scan, grid)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape_zyx), indexing="ij"), axis=-1)
    world = grid.to_world(index)
    native = scan.grid.to_index(world)
    is_inside = ((native >= 0) & (native <= np.asarray(scan.grid.shape_zyx) - 1)).all(axis=-1)
    assert is_inside.sum() > 300
    assert np.abs(hu[is_inside] - _ramp(world[is_inside])).max() <= 1.001
    # between nearest-neighbour edges and air nothing else exists
    assert (hu[(native < -0.51).any(axis=-1)] == AIR_HU).all()


@pytest.mark.parametrize("name", DIRECTIONS)
def test_agrees_with_simpleitk_and_rounds(name):
    scan = ramp_scan(DIRECTIONS[name])
    rng = np.random.default_rng(0)
    scan = Scan("1.2", rng.integers(-1000, 1000, scan.hu.shape).astype(np.int16), scan.grid)
    grid = scan.grid.resampled((1.3, 0.8, 1.1))
    reference = to_image(np.zeros(grid.shape_zyx, np.int16), grid)
    image = SimpleITK.Cast(to_image(scan.hu, scan.grid), SimpleITK.sitkFloat64)
    expected = SimpleITK.Resample(image, reference, SimpleITK.Transform(), SimpleITK.sitkLinear, AIR_HU)
    difference = resample(scan, grid) - SimpleITK.GetArrayFromImage(expected)
    assert np.abs(difference).max() <= 0.501
    assert abs(difference.mean()) < 0.05


def test_equal_grid_changes_nothing():
    scan = ramp_scan(np.eye(3))
    assert resample(scan, scan.grid) is scan.hu


def test_flipped_scan_and_its_mirror_give_the_same_volume():
    flipped = ramp_scan(DIRECTIONS["flipped"])
    far = flipped.grid.to_world((0, flipped.grid.shape_zyx[1] - 1, flipped.grid.shape_zyx[2] - 1))
    mirror = Grid(flipped.grid.shape_zyx, flipped.grid.spacing_zyx_mm, tuple(far))
    upright = Scan("1.2", np.ascontiguousarray(flipped.hu[:, ::-1, ::-1]), mirror)
    grid = flipped.grid.resampled((1.0, 1.0, 1.0))
    np.testing.assert_array_equal(resample(flipped, grid), resample(upright, grid))


def test_threads_do_not_change_the_values():
    scan = ramp_scan(DIRECTIONS["oblique"])
    grid = scan.grid.resampled((1.0, 1.0, 1.0))
    np.testing.assert_array_equal(resample(scan, grid, threads=1), resample(scan, grid, threads=4))


def test_only_strong_down_sampling_is_smoothed():
    source = Grid((10, 10, 10), (1.0, 0.7, 0.5))
    assert anti_alias_sigma_mm(source, source.resampled((1.0, 1.0, 0.9))) == (0.0, 0.0, 0.0)
    sigma = anti_alias_sigma_mm(source, source.resampled((1.0, 1.0, 1.0)))
    assert sigma[:2] == (0.0, 0.0)
    # widths at half maximum add in squares: 0.5 mm becomes 1 mm
    assert np.hypot(sigma[2] * 2.3548, 0.5) == pytest.approx(1.0, abs=1e-3)


def test_sigma_follows_permuted_axes():
    matrix = tuple(tuple(row) for row in DIRECTIONS["permuted"].tolist())
    source = Grid((10, 10, 10), (0.5, 2.0, 2.0), (0.0, 0.0, 0.0), matrix)
    # the array axes z, y, x run along world y, x, z here
    assert anti_alias_sigma_mm(source, Grid((10, 10, 10), (1.0, 0.5, 2.0))) == (0.0, 0.0, 0.0)
    sigma = anti_alias_sigma_mm(source, Grid((10, 10, 10), (1.0, 1.0, 2.0)))
    assert sigma[0] > 0
    assert sigma[1:] == (0.0, 0.0)


def test_anti_aliasing_keeps_a_checkerboard_from_turning_into_stripes():
    shape = (8, 8, 64)
    hu = np.where(np.indices(shape)[2] % 2 == 0, -1000, 0).astype(np.int16)
    scan = Scan("1.2", hu, Grid(shape))
    coarse = resample(scan, scan.grid.resampled((1.0, 1.0, 4.0)))
    assert np.abs(coarse[:, :, 2:-2] + 500).max() < 25


def test_air_outside_the_scan():
    scan = ramp_scan(np.eye(3))
    far = Grid((4, 4, 4), (1.0, 1.0, 1.0), (900.0, 0.0, 0.0))
    assert (resample(scan, far) == AIR_HU).all()


@pytest.mark.real_data
def test_parity_with_published_crops():
    shared = os.environ.get("LUNGPIPE_SHARED")
    if not shared or not Path(shared, "dicom/LIDC-IDRI-0012").is_dir():
        pytest.skip("LUNGPIPE_SHARED does not name the folder with the real scans")
    scan = read_scan(Path(shared, "dicom/LIDC-IDRI-0012"))
    crops = [c for c in list_scans(Path(shared, "luna16-crops"), 7) if c.series_uid.startswith(scan.series_uid)]
    assert len(crops) == 9
    for crop in crops:
        expected = read_scan(crop.header_path)
        difference = np.abs(resample(scan, expected.grid).astype(int) - expected.hu)
        # the crops were truncated toward zero, these are rounded
        assert (difference <= 1).mean() > 0.999
