"""A volume in memory answers as a stored one does."""

import numpy as np
import pytest

from lungpipe.geometry import Grid, Window
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import MemoryVolume

HU = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
LUNGS = (HU % 3).astype(np.uint8)
GRID = Grid(HU.shape, (2.0, 1.0, 0.5), (-3.0, 0.0, 7.0))
WINDOWS = [None, Window((1, 2, 3), (2, 2, 2)), Window((-1, 3, -2), (4, 4, 4)), Window((9, 9, 9), (2, 2, 2))]


@pytest.mark.parametrize("window", WINDOWS)
def test_memory_and_store_return_the_same_voxels(write_store, window):
    stored = open_volume(write_store("1.1", HU, GRID.spacing_zyx_mm, origin=GRID.origin_zyx_mm, lungs=LUNGS))
    held = MemoryVolume("1.1", GRID, HU, LUNGS)
    np.testing.assert_array_equal(held.read_hu(window), stored.read_hu(window))
    np.testing.assert_array_equal(held.read_lungs(window), stored.read_lungs(window))
    assert (held.series_uid, held.grid) == (stored.series_uid, stored.grid)
    assert (held.read_hu(window).dtype, held.read_lungs(window).dtype) == (np.int16, np.uint8)


def test_beyond_the_volume_its_nearest_voxel_repeats_and_there_is_no_lung():
    volume = MemoryVolume("1.1", GRID, HU, LUNGS)
    assert volume.read_hu(Window((3, 4, 5), (2, 1, 1))).ravel().tolist() == [HU[3, 4, 5], HU[3, 4, 5]]
    assert volume.read_lungs(Window((-1, 0, 1), (2, 1, 1))).ravel().tolist() == [0, LUNGS[0, 0, 1]]


def test_without_lungs_the_whole_volume_is_searched():
    volume = MemoryVolume("1.1", GRID, HU)
    assert volume.read_lungs().sum() == HU.size
    assert volume.read_lungs(Window((3, 4, 5), (2, 1, 1))).ravel().tolist() == [1, 0]


@pytest.mark.parametrize(
    ("hu", "lungs", "expected"),
    [
        (HU[1:], None, r"series 1\.1, hu: expected int16 \(4, 5, 6\), found int16 \(3, 5, 6\)"),
        (HU.astype(np.float32), None, r"hu: expected int16 \(4, 5, 6\), found float32"),
        (HU, LUNGS[:, 1:], r"lungs: expected uint8 \(4, 5, 6\), found uint8 \(4, 4, 6\)"),
        (HU, LUNGS > 0, r"lungs: expected uint8 \(4, 5, 6\), found bool"),
    ],
)
def test_arrays_that_do_not_fit_the_grid_are_refused(hu, lungs, expected):
    with pytest.raises(ValueError, match=expected):
        MemoryVolume("1.1", GRID, hu, lungs)
