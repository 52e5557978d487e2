import numpy as np
import pytest

from lungpipe.geometry import Window, window_around

ARRAY = np.arange(4 * 5 * 6).reshape(4, 5, 6)


def test_window_inside_is_a_copy_of_the_array():
    patch = Window((1, 2, 3), (2, 2, 2)).cut(ARRAY, -1)
    np.testing.assert_array_equal(patch, ARRAY[1:3, 2:4, 3:5])
    patch[:] = 0
    assert ARRAY[1, 2, 3] != 0


def test_window_beyond_the_array_is_filled():
    patch = Window((-1, 3, 4), (3, 4, 4)).cut(ARRAY, -7)
    assert (patch[0] == -7).all()
    assert (patch[:, 2:] == -7).all()
    assert (patch[:, :, 2:] == -7).all()
    np.testing.assert_array_equal(patch[1:, :2, :2], ARRAY[:2, 3:, 4:])


@pytest.mark.parametrize("start", [(-9, 0, 0), (0, 50, 0), (4, 5, 6)])
def test_window_without_overlap_is_all_fill(start):
    assert (Window(start, (3, 3, 3)).cut(ARRAY, 9) == 9).all()


@pytest.mark.parametrize(
    ("center", "shape", "start"),
    [((5, 5, 5), (3, 3, 3), (4, 4, 4)), ((5.4, 5.6, 5.0), (1, 1, 1), (5, 6, 5)), ((1, 1, 1), (5, 5, 5), (-1, -1, -1))],
)
def test_window_around_a_centre(center, shape, start):
    window = window_around(center, shape)
    assert window.start_zyx_vox == start
    assert window.shape_zyx == shape


def test_outside_the_array_its_nearest_voxel_repeats():
    window = Window((-2, 1, 3), (4, 2, 9))
    z, y, x = (np.clip(np.arange(a, a + n), 0, size - 1) for a, n, size in zip(*ends(window), ARRAY.shape, strict=True))
    np.testing.assert_array_equal(window.cut_nearest(ARRAY), ARRAY[np.ix_(z, y, x)])


@pytest.mark.parametrize("start", [(-9, 0, 0), (0, 50, 0), (-9, 50, -7)])
def test_a_window_that_misses_the_array_repeats_its_border(start):
    patch = Window(start, (2, 2, 2)).cut_nearest(ARRAY)
    z, y, x = (np.clip([a, a + 1], 0, size - 1) for a, size in zip(start, ARRAY.shape, strict=True))
    np.testing.assert_array_equal(patch, ARRAY[np.ix_(z, y, x)])


def test_a_window_inside_is_an_own_array():
    array = ARRAY.copy()
    patch = Window((1, 1, 1), (2, 2, 2)).cut_nearest(array)
    patch[:] = -5
    np.testing.assert_array_equal(array, ARRAY)


def ends(window):
    return window.start_zyx_vox, window.shape_zyx
