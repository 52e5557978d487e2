"""From maps to detections by hand."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.inference.lumps import decode_lumps
from lungpipe.inference.maps import Maps
from lungpipe.inference.peaks import crop_mask, decode_peaks
from lungpipe.settings.recipe import LumpDecoding, PeakDecoding

GRID = Grid((30, 30, 30), (2.0, 1.0, 1.0), (-10.0, 5.0, 30.0))
BOX = (slice(8, 24), slice(8, 24), slice(16, 32))
STRIDE = 4


def region(value=True):
    return np.full(GRID.shape_zyx, value)


def logit(probability):
    return np.log(probability / (1 - probability))


def mask_maps():
    logits = np.full((1, 16, 16, 16), -20.0, np.float32)
    logits[0, 2, 3, 4:6] = logit(0.8)
    logits[0, 9, 9, 9:12] = logit(0.6)
    return Maps(BOX, {"mask": logits})


def test_lumps_lie_where_the_box_puts_them():
    found = decode_lumps(mask_maps(), GRID, region(), LumpDecoding(threshold=0.5, min_voxels=1))
    expected = GRID.to_world([[10, 11, 20.5], [17, 17, 26]])
    np.testing.assert_allclose(found.centers_zyx_mm, expected, atol=1e-6)
    np.testing.assert_allclose(found.scores, [0.8, 0.6], atol=1e-6)
    assert [crop.start_zyx_vox for crop in found.mask_crops] == [(10, 11, 20), (17, 17, 25)]


def test_voxels_outside_the_region_belong_to_no_lump():
    part = region()
    part[:, :, 26:] = False
    found = decode_lumps(mask_maps(), GRID, part, LumpDecoding(threshold=0.5, min_voxels=1))
    assert [crop.mask.sum() for crop in found.mask_crops] == [2, 1]


def center_maps(**peaks):
    """Maps of 4 coarse voxels a side; `peaks` maps a name to (place, probability)."""
    heads = {
        "heatmap": np.full((1, 4, 4, 4), -9.0, np.float32),
        "offset": np.zeros((3, 4, 4, 4), np.float32),
        "diameter": np.zeros((1, 4, 4, 4), np.float32),
    }
    for place, probability in peaks.values():
        heads["heatmap"][(0, *place)] = logit(probability)
    return Maps(BOX, heads)


def test_a_peak_lies_at_its_coarse_voxels_centre_plus_its_offset():
    maps = center_maps(one=((1, 2, 0), 0.7))
    maps.heads["offset"][:, 1, 2, 0] = [0.5, -1.0, 1.5]
    maps.heads["diameter"][0, 1, 2, 0] = np.log(0.6)
    found = decode_peaks(maps, GRID, region(), PeakDecoding(threshold=0.1))
    # coarse voxel i has its centre at 4 i + 1.5, behind the start of the box
    expected = GRID.to_world([8 + 4 + 1.5 + 0.5, 8 + 8 + 1.5 - 1.0, 16 + 1.5 + 1.5])
    np.testing.assert_allclose(found.centers_zyx_mm, [expected], atol=1e-5)
    assert found.diameters_mm == pytest.approx([6.0])
    assert found.scores == pytest.approx([0.7])
    assert found.mask_crops is None


def test_peaks_outside_the_region_or_the_volume_are_dropped():
    maps = center_maps(inside=((1, 1, 1), 0.7), outside=((3, 3, 1), 0.9), beyond=((1, 3, 3), 0.8))
    part = region()
    part[20:] = False
    # the box ends at voxel 32, the volume at 30: this centre lies at 29.5 + 1
    maps.heads["offset"][2, 1, 3, 3] = 1.0
    assert decode_peaks(maps, GRID, part, PeakDecoding(threshold=0.1)).scores == pytest.approx([0.7])


def test_a_stronger_neighbour_outside_the_region_hides_no_peak():
    maps = center_maps(inside=((1, 1, 1), 0.7), outside=((2, 1, 1), 0.9))
    part = region()
    part[16:] = False
    assert decode_peaks(maps, GRID, part, PeakDecoding(threshold=0.1)).scores == pytest.approx([0.7])


def test_a_threshold_of_0_finds_nothing_outside_the_region():
    found = decode_peaks(center_maps(), GRID, region(False), PeakDecoding(threshold=0.0))
    assert len(found) == 0


def test_a_mask_crop_is_what_lies_near_the_centre():
    logits = np.full((1, 16, 16, 16), 1.0, np.float32)
    logits[0, :, :, 9:] = -1.0
    maps = Maps(BOX, {"mask": logits})
    center = GRID.to_world([16.0, 16.0, 24.0])
    crop = crop_mask(maps, GRID, center, 8.0)
    # 6 mm: 3 voxels along z, 6 along y and x
    assert crop.start_zyx_vox == (13, 10, 18)
    assert crop.mask.shape == (7, 13, 12)  # the volume ends at voxel 30
    inside = np.argwhere(crop.mask) + crop.start_zyx_vox
    distance = np.linalg.norm((inside - [16, 16, 24]) * [2, 1, 1], axis=1)
    assert distance.max() == pytest.approx(6.0)
    assert inside[:, 2].max() == 24
    every = np.stack(np.indices(crop.mask.shape), axis=-1) + crop.start_zyx_vox
    near = np.linalg.norm((every - [16, 16, 24]) * [2, 1, 1], axis=-1) <= 6.0
    assert crop.mask.sum() == (near & (every[..., 2] <= 24)).sum()


def test_a_mask_crop_ends_with_the_box_and_the_volume():
    maps = Maps(BOX, {"mask": np.ones((1, 16, 16, 16), np.float32)})
    crop = crop_mask(maps, GRID, GRID.to_world([8.0, 23.0, 29.0]), 8.0)
    assert crop.start_zyx_vox == (8, 17, 23)
    assert crop.mask.shape == (4, 7, 7)


def test_every_peak_has_its_crop_where_there_is_a_mask():
    maps = center_maps(one=((0, 0, 0), 0.7), two=((3, 3, 2), 0.6))
    maps.heads["mask"] = np.full((1, 16, 16, 16), -1.0, np.float32)
    maps.heads["mask"][0, 1, 1, 1] = 2.0
    found = decode_peaks(maps, GRID, region(), PeakDecoding(threshold=0.1))
    assert [crop.mask.sum() for crop in found.mask_crops] == [1, 0]
