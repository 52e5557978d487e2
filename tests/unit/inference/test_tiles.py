"""The lattice by hand: where tiles lie, and that only the volume's shape decides."""

import numpy as np
import pytest

from lungpipe.inference.tiles import box_around, lay_tiles
from lungpipe.settings.recipe import DetectorInference


def inference(tile, halo):
    return DetectorInference(tile_size_vox=tile, halo_vox=halo)


def spans(tiles, axis):
    return sorted({(tile.core[axis].start, tile.core[axis].stop) for tile in tiles})


def test_cores_start_at_voxel_0_and_every_window_adds_the_halo():
    tiles = lay_tiles(np.ones((8, 8, 40), bool), inference(24, 4), 4)
    # 40 voxels need three cores of at most 16: the smallest multiple of 4 that covers a third is 16
    assert spans(tiles, 2) == [(0, 16), (16, 32), (32, 48)]
    assert spans(tiles, 0) == spans(tiles, 1) == [(0, 8)]
    assert [tile.window.start_zyx_vox for tile in tiles] == [(-4, -4, -4), (-4, -4, 12), (-4, -4, 28)]
    assert {tile.window.shape_zyx for tile in tiles} == {(16, 16, 24)}


def test_a_volume_a_little_larger_than_a_tile_is_no_reason_for_two_whole_ones():
    tiles = lay_tiles(np.ones((4, 4, 70), bool), inference(96, 16), 8)
    assert spans(tiles, 2) == [(0, 40), (40, 80)]


def test_a_volume_smaller_than_a_tile_takes_the_smallest_window_that_covers_it():
    [tile] = lay_tiles(np.ones((5, 10, 40), bool), inference(64, 8), 8)
    assert tile.window.shape_zyx == (8 + 16, 16 + 16, 40 + 16)


def test_only_tiles_whose_core_meets_the_region_are_laid():
    region = np.zeros((8, 8, 48), bool)
    region[0, 0, 15] = region[7, 7, 33] = True
    assert spans(lay_tiles(region, inference(24, 4), 4), 2) == [(0, 16), (32, 48)]
    assert lay_tiles(np.zeros((8, 8, 48), bool), inference(24, 4), 4) == ()


@pytest.mark.parametrize("voxel", [(0, 0, 0), (3, 17, 30), (19, 29, 39)])
def test_where_a_region_lies_moves_no_tile(voxel):
    shape = (20, 30, 40)
    whole = lay_tiles(np.ones(shape, bool), inference(20, 4), 4)
    region = np.zeros(shape, bool)
    region[voxel] = True
    [tile] = lay_tiles(region, inference(20, 4), 4)
    assert tile in whole
    assert all(core.start <= place < core.stop for core, place in zip(tile.core, voxel, strict=True))


def test_the_box_around_a_region_ends_at_multiples_of_the_stride():
    region = np.zeros((20, 20, 20), bool)
    region[5, 8, 15] = region[8, 11, 19] = True
    assert box_around(region, 4) == (slice(4, 12), slice(8, 12), slice(12, 20))
    assert box_around(region, 1) == (slice(5, 9), slice(8, 12), slice(15, 20))
    assert box_around(np.zeros((4, 4, 4), bool), 4) is None
