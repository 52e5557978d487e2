"""Where a peak's centre goes when the mask there is asked, by hand."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.inference.peaks import decode_peaks
from lungpipe.settings.recipe import PeakDecoding

GRID = Grid((30, 30, 30), (2.0, 1.0, 1.0), (-10.0, 5.0, 30.0))
BOX = (slice(8, 24), slice(8, 24), slice(16, 32))
PEAK_VOX = np.array([8 + 5.5, 8 + 5.5, 16 + 5.5])
"""The centre of coarse voxel 1 at stride 4, in a box that starts at voxels 8, 8 and 16."""


def logit(probability):
    return np.log(probability / (1 - probability))


def maps_with(mask, diameter_mm=8.0):
    """One peak at PEAK_VOX; `mask` maps voxels of the volume to probabilities."""
    heads = {
        "heatmap": np.full((1, 4, 4, 4), -9.0, np.float32),
        "offset": np.zeros((3, 4, 4, 4), np.float32),
        "diameter": np.full((1, 4, 4, 4), np.log(diameter_mm / 10.0), np.float32),
        "mask": np.full((1, 16, 16, 16), -20.0, np.float32),
    }
    heads["heatmap"][0, 1, 1, 1] = logit(0.7)
    for (z, y, x), probability in mask.items():
        heads["mask"][0, z - 8, y - 8, x - 16] = logit(probability)
    return Maps(BOX, heads)


def center_of(maps, refine="mask"):
    region = np.ones(GRID.shape_zyx, dtype=bool)
    [center] = decode_peaks(maps, GRID, region, PeakDecoding(threshold=0.1, refine=refine)).centers_zyx_mm
    return center


def test_a_centre_moves_halfway_to_the_centre_of_mass():
    # weights 0.9 and 0.6: the mass is at 23 + 0.4 along x
    maps = maps_with({(14, 13, 23): 0.9, (14, 13, 24): 0.6})
    mass = np.array([14.0, 13.0, 23.4])
    np.testing.assert_allclose(center_of(maps), GRID.to_world((PEAK_VOX + mass) / 2), atol=1e-5)
    np.testing.assert_allclose(center_of(maps, "none"), GRID.to_world(PEAK_VOX), atol=1e-5)


def test_a_peak_without_mask_keeps_its_centre():
    np.testing.assert_allclose(center_of(maps_with({})), GRID.to_world(PEAK_VOX), atol=1e-5)
    # a probability of a half or less is no mask
    np.testing.assert_allclose(center_of(maps_with({(14, 13, 23): 0.49})), GRID.to_world(PEAK_VOX), atol=1e-5)


def test_another_lump_nearby_has_no_part_in_the_centre():
    own = {(13, 13, 21): 0.8, (14, 13, 21): 0.8}
    # 5 mm away, within the crop of 6 mm, and not connected
    other = {(13, 13, 26): 0.9, (13, 14, 26): 0.9, (14, 14, 26): 0.9}
    expected = GRID.to_world((PEAK_VOX + np.array([13.5, 13.0, 21.0])) / 2)
    np.testing.assert_allclose(center_of(maps_with(own | other)), expected, atol=1e-5)


def test_a_mask_beyond_the_radius_moves_nothing():
    # the nearest voxel is 4.6 mm away, the radius 4 mm
    np.testing.assert_allclose(center_of(maps_with({(13, 13, 26): 0.9})), GRID.to_world(PEAK_VOX), atol=1e-5)


def test_a_lump_whose_middle_is_beyond_the_radius_moves_nothing():
    # a neighbour that touches: three voxels lead to twelve at 3.5 mm along x; the middle of all is at 3.1 mm
    lump = {(13, 13, x): 0.9 for x in (22, 23, 24)} | {(z, y, 25): 0.9 for z in (13, 14) for y in range(11, 17)}
    np.testing.assert_allclose(center_of(maps_with(lump, 6.0)), GRID.to_world(PEAK_VOX), atol=1e-5)
    assert np.linalg.norm(center_of(maps_with(lump, 6.4)) - GRID.to_world(PEAK_VOX)) > 1.5


@pytest.mark.parametrize("shift_mm", [(0.8, 0.0, 0.0), (-0.4, 0.5, -0.3)])
def test_a_peak_beside_the_middle_of_a_ball_errs_half_as_much(shift_mm):
    ball_mm = GRID.to_world(PEAK_VOX) + np.asarray(shift_mm)
    voxels = np.stack(np.meshgrid(*(np.arange(s.start, min(s.stop, 30)) for s in BOX), indexing="ij"), axis=-1)
    distance = np.linalg.norm(GRID.to_world(voxels) - ball_mm, axis=-1)
    # a mask that falls from 1 to 0 around a radius of 5 mm, as a trained network's does
    probability = 1.0 / (1.0 + np.exp(2.0 * (distance - 5.0)))
    maps = maps_with({}, 10.0)
    maps.heads["mask"][0, :, :, :14] = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    error = np.linalg.norm(center_of(maps) - ball_mm)
    assert error == pytest.approx(np.linalg.norm(shift_mm) / 2, abs=0.12)
