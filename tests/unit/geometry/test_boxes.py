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
