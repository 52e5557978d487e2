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


def found_in(maps, refine="mask"):
    region = np.ones(GRID.shape_zyx, dtype=bool)
    return decode_peaks(maps, GRID, region, PeakDecoding(threshold=0.1, refine=refine))


def center_of(maps, refine="mask"):
    [center] = found_in(maps, refine).centers_zyx_mm
    return center


def weighted(of_mask_vox, diameter_mm):
    """The world centre between PEAK_VOX and the mask's: a peak of 6 mm lies in the middle."""
    weight = diameter_mm**2 / (diameter_mm**2 + 36.0)
    return GRID.to_world((1 - weight) * PEAK_VOX + weight * np.asarray(of_mask_vox))


@pytest.mark.parametrize("diameter_mm", [4.0, 6.0, 8.0])
def test_a_centre_moves_towards_the_centre_of_mass(diameter_mm):
    # weights 0.9 and 0.6: the mass is at 21 + 0.4 along x
    maps = maps_with({(14, 13, 21): 0.9, (14, 13, 22): 0.6}, diameter_mm)
    np.testing.assert_allclose(center_of(maps), weighted([14, 13, 21.4], diameter_mm), atol=1e-5)
    np.testing.assert_allclose(center_of(maps, "none"), GRID.to_world(PEAK_VOX), atol=1e-5)


def test_a_peak_of_6_mm_moves_halfway():
    maps = maps_with({(14, 13, 21): 0.9}, 6.0)
    np.testing.assert_allclose(center_of(maps), GRID.to_world((PEAK_VOX + np.array([14, 13, 21])) / 2), atol=1e-5)


def test_a_diameter_moves_towards_that_of_the_masks_volume():
    # 2 x 3 x 3 voxels of 2 mm3
    maps = maps_with({(z, y, x): 0.8 for z in (13, 14) for y in (13, 14, 15) for x in (20, 21, 22)}, 6.0)
    of_mask = np.cbrt(36.0 * 6.0 / np.pi)
    assert found_in(maps).diameters_mm == pytest.approx([6.0 + 0.2 * (of_mask - 6.0)], rel=1e-5)
    assert found_in(maps, "none").diameters_mm == pytest.approx([6.0], rel=1e-5)
    # at 12 mm both weigh the same
    maps.heads["diameter"][:] = np.log(1.2)
    assert found_in(maps).diameters_mm == pytest.approx([(12.0 + of_mask) / 2], rel=1e-5)


def test_scores_and_crops_stay_as_they_are():
    maps = maps_with({(14, 13, 23): 0.9})
    one, other = found_in(maps), found_in(maps, "none")
    np.testing.assert_array_equal(one.scores, other.scores)
    [mine], [plain] = one.mask_crops, other.mask_crops
    assert mine.start_zyx_vox == plain.start_zyx_vox
    np.testing.assert_array_equal(mine.mask, plain.mask)


def test_a_peak_without_mask_stays_as_it_is():
    # a probability of a half or less is no mask
    for mask in ({}, {(14, 13, 23): 0.49}):
        np.testing.assert_allclose(center_of(maps_with(mask)), GRID.to_world(PEAK_VOX), atol=1e-5)
        assert found_in(maps_with(mask)).diameters_mm == pytest.approx([8.0], rel=1e-5)


def test_another_lump_nearby_has_no_part_in_the_centre():
    own = {(13, 13, 21): 0.8, (14, 13, 21): 0.8}
    # 5 mm away, within the crop of 6 mm, and not connected
    other = {(13, 13, 26): 0.9, (13, 14, 26): 0.9, (14, 14, 26): 0.9}
    np.testing.assert_allclose(center_of(maps_with(own | other)), weighted([13.5, 13.0, 21.0], 8.0), atol=1e-5)


def test_a_mask_beyond_the_radius_moves_nothing():
    # the nearest voxel is 4.6 mm away, the radius 4 mm
    np.testing.assert_allclose(center_of(maps_with({(13, 13, 26): 0.9})), GRID.to_world(PEAK_VOX), atol=1e-5)


def test_a_lump_whose_middle_is_beyond_the_radius_moves_nothing():
    # a neighbour that touches: three voxels lead to twelve at 3.5 mm along x; the middle of all is at 3.1 mm
    lump = {(13, 13, x): 0.9 for x in (22, 23, 24)} | {(z, y, 25): 0.9 for z in (13, 14) for y in range(11, 17)}
    np.testing.assert_allclose(center_of(maps_with(lump, 6.0)), GRID.to_world(PEAK_VOX), atol=1e-5)
    assert np.linalg.norm(center_of(maps_with(lump, 6.4)) - GRID.to_world(PEAK_VOX)) > 1.5


@pytest.mark.parametrize("shift_mm", [(0.8, 0.0, 0.0), (-0.4, 0.5, -0.3)])
def test_a_ball_is_found_nearer_to_its_place_and_its_size(shift_mm):
    ball_mm = GRID.to_world(PEAK_VOX) + np.asarray(shift_mm)
    voxels = np.stack(np.meshgrid(*(np.arange(s.start, min(s.stop, 30)) for s in BOX), indexing="ij"), axis=-1)
    distance = np.linalg.norm(GRID.to_world(voxels) - ball_mm, axis=-1)
    # a mask that falls from 1 to 0 around a radius of 5 mm, as a trained network's does
    probability = 1.0 / (1.0 + np.exp(2.0 * (distance - 5.0)))
    maps = maps_with({}, 9.0)
    maps.heads["mask"][0, :, :, :14] = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    # the peak says 9 mm: 36 / 117 of its error stays, and 144 / 225 of that of its diameter
    error = np.linalg.norm(center_of(maps) - ball_mm)
    assert error == pytest.approx(np.linalg.norm(shift_mm) * 36 / 117, abs=0.12)
    assert found_in(maps).diameters_mm == pytest.approx([9.0 + (10.0 - 9.0) * 81 / 225], abs=0.1)


def test_peaks_are_merged_before_their_masks_are_read_and_again_when_they_are_refined():
    maps, merged = maps_with({(14, 13, 21): 0.9}), []
    maps.heads["heatmap"][0, 1, 1, 3] = logit(0.3)

    def merge(found):
        merged.append(found)
        return found.take(np.array([int(np.argmax(found.scores))]))

    region = np.ones(GRID.shape_zyx, dtype=bool)
    found = decode_peaks(maps, GRID, region, PeakDecoding(threshold=0.1), merge=merge)
    assert [len(one) for one in merged] == [2, 1]
    assert merged[0].mask_crops is None
    np.testing.assert_array_equal(merged[1].centers_zyx_mm, found.centers_zyx_mm)
    np.testing.assert_allclose(found.centers_zyx_mm, [center_of(maps_with({(14, 13, 21): 0.9}))], atol=1e-6)
