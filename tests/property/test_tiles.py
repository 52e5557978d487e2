"""Tiles cover any region once, with context all around."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from lungpipe.inference.tiles import cover
from lungpipe.settings import SegmenterSettings

_regions = st.tuples(*[st.integers(1, 12)] * 3).flatmap(lambda shape: shapes.arrays(bool, shape))
_strides = st.sampled_from([1, 2, 4])
_tiles = st.tuples(_strides, st.integers(1, 6), st.integers(0, 23)).filter(lambda t: t[2] < t[0] * t[1])


def bounding_box(region):
    box = np.zeros_like(region)
    if region.any():
        low, high = np.argwhere(region).min(axis=0), np.argwhere(region).max(axis=0) + 1
        box[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return box


def visits(shape, tiles):
    count = np.zeros(shape, int)
    for core, _ in tiles:
        count[core] += 1
    return count


@given(_regions, _tiles)
def test_every_voxel_of_the_region_is_predicted_once_and_none_beyond_its_box(region, tile):
    stride, multiple, overlap = tile
    settings = SegmenterSettings(tile_size_vox=stride * multiple, tile_overlap_vox=overlap)
    count = visits(region.shape, cover(region, settings, stride))
    assert (count[region] == 1).all()
    assert count.max(initial=0) <= 1
    assert not count[~bounding_box(region)].any()


@given(_regions.filter(np.any), _tiles)
def test_cores_partition_the_box_of_a_region_that_fills_it(region, tile):
    stride, multiple, overlap = tile
    settings = SegmenterSettings(tile_size_vox=stride * multiple, tile_overlap_vox=overlap)
    box = bounding_box(region)
    np.testing.assert_array_equal(visits(region.shape, cover(box, settings, stride)), box)


@given(_regions, _tiles)
def test_every_core_has_its_context_in_a_window_that_the_network_takes(region, tile):
    stride, multiple, overlap = tile
    settings = SegmenterSettings(tile_size_vox=stride * multiple, tile_overlap_vox=overlap)
    tiles = cover(region, settings, stride)
    assert len({window.shape_zyx for _, window in tiles}) <= 1
    for core, window in tiles:
        for part, start, side in zip(core, window.start_zyx_vox, window.shape_zyx, strict=True):
            assert part.start - start >= overlap // 2
            assert start + side - part.stop >= overlap // 2
            assert side % stride == 0
            assert side <= settings.tile_size_vox
