"""Nodule masks on any grid, cut as the windows of a stored volume are."""

import numpy as np
import pytest

from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid, Window, sphere_mask
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.sampling.masks import NoduleMasks, cut_mask
from lungpipe.volumes.store import VolumeError

VOLUME = Grid((12, 14, 16), (1.0, 1.0, 1.0), (-4.0, 10.0, 20.0))
WHOLE = Window((0, 0, 0), VOLUME.shape_zyx)
FLIPPED = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
TURNED = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = ((1.0, 0.0, 0.0), (0.0, 0.96, -0.28), (0.0, 0.28, 0.96))


def some_mask(shape=VOLUME.shape_zyx):
    return (np.random.default_rng(0).random(shape) < 0.3).astype(np.uint8)


@pytest.mark.parametrize("start", [(0, 0, 0), (3, -2, 5), (8, 9, 10)])
def test_a_mask_on_the_volumes_grid_is_copied(start):
    mask, window = some_mask(), Window(start, (6, 7, 8))
    np.testing.assert_array_equal(cut_mask(mask, VOLUME, VOLUME, window), window.cut(mask, 0))


def test_a_mask_on_a_shifted_lattice_is_copied_where_it_lies():
    mask, window = some_mask((5, 6, 7)), Window((1, 2, 3), (9, 10, 11))
    grid = Grid(mask.shape, (1.0, 1.0, 1.0), tuple(VOLUME.to_world((4, 3, 6))))
    whole = np.zeros(VOLUME.shape_zyx, np.uint8)
    whole[4:9, 3:9, 6:13] = mask
    np.testing.assert_array_equal(cut_mask(mask, grid, VOLUME, window), window.cut(whole, 0))


@pytest.mark.parametrize("direction", [FLIPPED, TURNED], ids=["flipped", "turned"])
def test_axes_may_run_the_other_way_or_be_swapped(direction):
    matrix = np.asarray(direction)
    # the corner of the volume from which all axes of the mask point inwards
    signs = matrix.sum(axis=1)
    corner = np.where(signs < 0, np.asarray(VOLUME.shape_zyx) - 1, 0)
    shape = tuple(int(n) for n in np.abs(matrix.T) @ VOLUME.shape_zyx)
    grid = Grid(shape, (1.0, 1.0, 1.0), tuple(VOLUME.to_world(corner)), direction)
    mask = some_mask(shape)
    expected = np.zeros(VOLUME.shape_zyx, np.uint8)
    for index in np.argwhere(mask):
        expected[tuple(np.round(VOLUME.to_index(grid.to_world(index))).astype(int))] = 1
    assert expected.sum() == mask.sum()
    np.testing.assert_array_equal(cut_mask(mask, grid, VOLUME, WHOLE), expected)


@pytest.mark.parametrize(("shift", "first"), [(0.49, 4), (0.5, 4), (0.51, 5), (-0.49, 4), (-0.5, 3), (-0.51, 3)])
def test_the_nearest_voxel_changes_at_half_a_voxel_exactly(shift, first):
    mask = np.ones((3, 3, 3), np.uint8)
    grid = Grid(mask.shape, (1.0, 1.0, 1.0), tuple(VOLUME.to_world((4.0 + shift, 4.0, 4.0))))
    found = cut_mask(mask, grid, VOLUME, WHOLE)
    # volume voxel i lies at mask index i - 4 - shift
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [first, first + 1, first + 2]


def test_a_coarse_mask_is_repeated_and_a_fine_one_is_sampled():
    mask = np.ones((2, 2, 2), np.uint8)
    coarse = Grid(mask.shape, (3.0, 3.0, 3.0), tuple(VOLUME.to_world((4, 4, 4))))
    # 3 voxels along each axis for every one: from half a voxel before the first centre
    found = cut_mask(mask, coarse, VOLUME, WHOLE)
    assert [slice_.tolist() for slice_ in map(np.unique, np.nonzero(found))] == [list(range(3, 9))] * 3
    fine = np.zeros((20, 20, 20), np.uint8)
    fine[10:] = 1
    grid = Grid(fine.shape, (0.5, 0.5, 0.5), tuple(VOLUME.to_world((1, 1, 1))))
    found = cut_mask(fine, grid, VOLUME, WHOLE)
    # fine index 10 is volume index 6; the fine grid ends at volume index 10.5, within which 10 is the last
    assert np.unique(np.nonzero(found)[0]).tolist() == [6, 7, 8, 9, 10]


def test_a_ball_on_an_oblique_native_grid_is_the_ball_in_the_volume():
    native = Grid((30, 50, 50), (0.75, 0.5, 0.5), tuple(VOLUME.to_world((-4.0, 2.0, -6.0))), OBLIQUE)
    center = tuple(VOLUME.to_world((6.2, 7.4, 7.7)))
    ball = sphere_mask(native, center, 8.0).astype(np.uint8)
    found = cut_mask(ball, native, VOLUME, WHOLE).astype(bool)
    assert found.sum() == pytest.approx(np.pi / 6 * 8.0**3, rel=0.04)
    assert np.linalg.norm(VOLUME.to_world(np.argwhere(found).mean(axis=0)) - center) < 0.1
    # every voxel that differs from the painted ball lies on its surface
    distance = np.linalg.norm(VOLUME.to_world(np.argwhere(found ^ sphere_mask(VOLUME, center, 8.0))) - center, axis=1)
    assert np.abs(distance - 4.0).max() < 0.75 / 2 + 0.5 / 2


@pytest.fixture
def dataset(tmp_path, write_store):
    """Two stored volumes, and a mask of the first one, at its own spacing."""
    stores = {uid: write_store(uid, np.zeros(VOLUME.shape_zyx), origin=VOLUME.origin_zyx_mm) for uid in ("1.1", "1.2")}
    grid = Grid((6, 7, 8), (2.0, 2.0, 2.0), VOLUME.origin_zyx_mm)
    mask = np.zeros(grid.shape_zyx, np.uint8)
    mask[2, 3, 4] = 1
    write_metaimage(mask, grid, tmp_path / "1.1.mhd", is_compressed=True)
    return stores, [tmp_path / "1.1.mhd", tmp_path / "1.1.zraw"]


def test_a_series_without_a_mask_has_an_empty_one(dataset):
    stores, files = dataset
    masks = NoduleMasks.of(files, stores)
    assert masks.series == ("1.1",)
    # index 2 of the mask is index 4 of the volume; 3 and 5 are as near to 2 as to their other neighbour
    assert np.argwhere(masks("1.1", WHOLE)).tolist() == [[z, y, x] for z in (3, 4) for y in (5, 6) for x in (7, 8)]
    window = Window((3, 5, 7), (2, 2, 2))
    assert masks("1.1", window).all()
    empty = masks("1.2", window)
    assert (empty.shape, empty.dtype, empty.any()) == ((2, 2, 2), np.uint8, False)


def test_a_mask_is_read_once(dataset):
    stores, [header, voxels] = dataset
    masks = NoduleMasks.of([header, voxels], stores)
    first = masks("1.1", WHOLE)
    voxels.unlink()
    np.testing.assert_array_equal(masks("1.1", WHOLE), first)
    with pytest.raises(ScanError, match=r"1\.1\.zraw|1\.1\.mhd"):
        NoduleMasks.of([header], stores)("1.1", WHOLE)


def test_a_mask_of_another_place_is_refused(dataset, tmp_path):
    stores, files = dataset
    mask = np.ones((3, 3, 3), np.uint8)
    write_metaimage(mask, Grid(mask.shape, (1.0, 1.0, 1.0), (100.0, 0.0, 0.0)), tmp_path / "1.2.mhd")
    masks = NoduleMasks.of([*files, tmp_path / "1.2.mhd"], stores)
    with pytest.raises(ScanError, match=r"1\.2\.mhd: expected a mask within its scan, found it around \[101\.0, 1\.0"):
        masks("1.2", WHOLE)


def test_a_mask_without_a_volume_is_no_mask(dataset):
    stores, files = dataset
    masks = NoduleMasks.of(files, {"1.2": stores["1.2"]})
    assert masks.series == ()
    assert not masks("1.1", WHOLE).any()
    with pytest.raises(VolumeError):
        NoduleMasks.of(files, {"1.1": stores["1.2"].with_name("none.ome.zarr")})("1.1", WHOLE)
