"""Tiles by hand: where regions are cut, and what is computed around them."""

import numpy as np
import pytest

from lungpipe.inference.tiles import box_around, lay_tiles
from lungpipe.settings.recipe import DetectorInference


def inference(tile, halo):
    return DetectorInference(tile_size_vox=tile, halo_vox=halo)


def spans(tiles, axis):
    return sorted((tile.core[axis].start, tile.core[axis].stop) for tile in tiles)


def test_a_region_that_fits_is_one_tile_with_the_halo_around_it():
    region = np.zeros((20, 30, 60), bool)
    region[5, 9, 10] = region[14, 22, 40] = region[5:14, 9:22, 10:40] = True
    [tile] = lay_tiles(region, inference(64, 4), 4)
    assert tile.core == (slice(4, 16), slice(8, 24), slice(8, 44))
    assert tile.window.start_zyx_vox == (0, 4, 4)
    assert tile.window.shape_zyx == (12 + 8, 16 + 8, 36 + 8)


def test_a_region_too_large_for_a_tile_is_cut_across_its_longest_side_in_the_middle():
    tiles = lay_tiles(np.ones((8, 8, 40), bool), inference(20, 4), 4)
    # 16 x 16 x 28 voxels each, at most 20^3
    assert spans(tiles, 2) == [(0, 20), (20, 40)]
    assert spans(tiles, 0) == spans(tiles, 1) == [(0, 8), (0, 8)]
    assert {tile.window.shape_zyx for tile in tiles} == {(16, 16, 28)}


def test_parts_far_apart_are_tiles_of_their_own():
    region = np.zeros((8, 8, 48), bool)
    region[0, 0, 15] = region[7, 7, 33] = True
    # together they would be 16 x 16 x 32 voxels, apart they are 12 x 12 x 12 each
    tiles = lay_tiles(region, inference(32, 4), 4)
    assert spans(tiles, 0) == spans(tiles, 1) == [(0, 4), (4, 8)]
    assert spans(tiles, 2) == [(12, 16), (32, 36)]
    assert {tile.window.shape_zyx for tile in tiles} == {(12, 12, 12)}


@pytest.mark.parametrize(("gap", "count"), [(4, 1), (12, 2)])
def test_a_gap_is_cut_out_only_if_the_halos_take_less(gap, count):
    region = np.zeros((8, 8, 32 + gap), bool)
    region[:, :, :16] = region[:, :, 16 + gap :] = True
    assert len(lay_tiles(region, inference(64, 4), 4)) == count


def test_no_region_no_tiles():
    assert lay_tiles(np.zeros((8, 8, 48), bool), inference(24, 4), 4) == ()


def test_the_last_core_may_extend_beyond_the_volume():
    [tile] = lay_tiles(np.ones((5, 10, 40), bool), inference(64, 8), 8)
    assert tile.core == (slice(0, 8), slice(0, 16), slice(0, 40))
    assert tile.window.shape_zyx == (8 + 16, 16 + 16, 40 + 16)


def test_the_box_around_a_region_ends_at_multiples_of_the_stride():
    region = np.zeros((20, 20, 20), bool)
    region[5, 8, 15] = region[8, 11, 19] = True
    assert box_around(region, 4) == (slice(4, 12), slice(8, 12), slice(12, 20))
    assert box_around(region, 1) == (slice(5, 9), slice(8, 12), slice(15, 20))
    assert box_around(np.zeros((4, 4, 4), bool), 4) is None
