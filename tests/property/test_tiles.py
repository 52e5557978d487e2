"""Tiles cover any region once, with context all around, and compute no more than one window would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from lungpipe.inference.tiles import box_around, lay_tiles
from lungpipe.settings.recipe import DetectorInference

_regions = st.tuples(*[st.integers(1, 14)] * 3).flatmap(lambda shape: shapes.arrays(bool, shape))
_tilings = st.tuples(st.sampled_from([1, 2, 4]), st.integers(1, 6), st.integers(0, 2)).filter(
    lambda tiling: 2 * tiling[2] < tiling[1]
)


def lay(region, tiling):
    stride, multiple, halo = tiling
    inference = DetectorInference(tile_size_vox=stride * multiple, halo_vox=stride * halo)
    return stride, inference, lay_tiles(region, inference, stride)


@given(_regions, _tilings)
def test_every_voxel_of_the_region_is_in_one_core_and_none_in_two(region, tiling):
    count = np.zeros(region.shape, int)
    for tile in lay(region, tiling)[2]:
        count[tile.core] += 1
    assert (count[region] == 1).all()
    assert count.max(initial=0) <= 1


@given(_regions, _tilings)
def test_windows_are_the_core_and_its_halo_and_no_larger_than_allowed(region, tiling):
    stride, inference, tiles = lay(region, tiling)
    for tile in tiles:
        for core, start, side in zip(tile.core, tile.window.start_zyx_vox, tile.window.shape_zyx, strict=True):
            assert core.start - start == start + side - core.stop == inference.halo_vox
            assert side % stride == start % stride == 0
        assert np.prod(tile.window.shape_zyx) <= inference.tile_size_vox**3


@given(_regions, _tilings)
def test_cores_have_no_empty_border(region, tiling):
    stride, _, tiles = lay(region, tiling)
    for tile in tiles:
        inside = region[tile.core]
        box = box_around(inside, stride)
        assert [side.start for side in box] == [0, 0, 0]
        assert [side.stop for side in box] == [side.stop - side.start for side in tile.core]


@given(_regions, _tilings)
def test_a_region_that_fits_into_one_window_is_cut_only_to_compute_less(region, tiling):
    stride, inference, tiles = lay(region, tiling)
    box = box_around(region, stride)
    if box is not None:
        alone = np.prod([side.stop - side.start + 2 * inference.halo_vox for side in box])
        if alone <= inference.tile_size_vox**3:
            assert sum(np.prod(tile.window.shape_zyx) for tile in tiles) <= alone


@given(_regions, st.sampled_from([1, 2, 4]))
def test_the_box_holds_the_region_and_no_empty_border(region, stride):
    box = box_around(region, stride)
    assert (box is None) == (not region.any())
    if box is not None:
        outside = region.copy()
        outside[box] = False
        assert not outside.any()
        for axis, side in enumerate(box):
            assert side.start % stride == side.stop % stride == 0
            lines = region.any(axis=tuple(a for a in range(3) if a != axis))
            assert lines[side.start : side.start + stride].any()
            assert lines[side.stop - stride : side.stop].any()
