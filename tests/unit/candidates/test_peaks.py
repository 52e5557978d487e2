"""Peaks of small heat maps: which voxels, where they lie in mm, and how large they are."""

import numpy as np
import pytest

from lungpipe.candidates.peaks import CenterMaps, find_peaks
from lungpipe.geometry import Grid

GRID = Grid((40, 48, 56), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def make_maps(peaks, shape=(6, 7, 8), stride=4, **changes):
    heatmap = np.zeros(shape, dtype=np.float32)
    for place, value in peaks.items():
        heatmap[place] = value
    offset, log_diameter = np.zeros((3, *shape), dtype=np.float32), np.zeros(shape, dtype=np.float32)
    return CenterMaps(
        **{"heatmap": heatmap, "offset": offset, "log_diameter": log_diameter, "stride": stride, **changes}
    )


def test_a_peak_lies_at_the_centre_of_its_coarse_voxel():
    found = find_peaks(make_maps({(1, 2, 3): 0.8}), GRID, 0.1)
    # voxels 4 to 7, 8 to 11 and 12 to 15
    np.testing.assert_allclose(found.centers_zyx_mm, [[5.5, 9.5, 13.5]])
    np.testing.assert_allclose(found.scores, [0.8])
    np.testing.assert_allclose(found.diameters_mm, [10.0])
    assert found.mask_crops is None


def test_offset_start_and_grid_move_it():
    maps = make_maps({(1, 2, 3): 0.8}, stride=2, start_zyx_vox=(10, 20, 30))
    maps.offset[:, 1, 2, 3] = (0.25, -0.5, 1.0)
    maps.offset[:, 0, 0, 0] = 100.0
    grid = Grid((40, 48, 56), (2.0, 0.5, 1.0), (-7.0, 5.0, 100.0))
    # voxel (2.5 + 10 + 0.25, 4.5 + 20 - 0.5, 6.5 + 30 + 1)
    expected = [-7.0 + 2.0 * 12.75, 5.0 + 0.5 * 24.0, 100.0 + 37.5]
    np.testing.assert_allclose(find_peaks(maps, grid, 0.1).centers_zyx_mm, [expected])


@pytest.mark.parametrize(("log", "expected"), [(np.log(0.4), 4.0), (np.log(3.0), 30.0), (90.0, 10 * np.exp(3.0))])
def test_the_diameter_is_ten_mm_times_its_exponential(log, expected):
    maps = make_maps({(1, 2, 3): 0.8})
    maps.log_diameter[1, 2, 3] = log
    np.testing.assert_allclose(find_peaks(maps, GRID, 0.1).diameters_mm, [expected], rtol=1e-6)


@pytest.mark.parametrize("step", [(0, 0, 1), (0, 1, 1), (1, 1, 1), (-1, 1, 0), (-1, -1, -1)])
def test_a_neighbour_of_a_larger_value_is_no_peak_whether_it_shares_a_face_or_a_corner(step):
    place = tuple(side + move for side, move in zip((2, 3, 4), step, strict=True))
    found = find_peaks(make_maps({(2, 3, 4): 0.5, place: 0.6}), GRID, 0.1)
    np.testing.assert_allclose(found.scores, [0.6], rtol=1e-6)


def test_two_steps_apart_are_two_peaks_in_the_order_of_memory():
    found = find_peaks(make_maps({(2, 3, 6): 0.5, (2, 3, 4): 0.6, (0, 0, 0): 0.3, (5, 6, 7): 0.2}), GRID, 0.1)
    np.testing.assert_allclose(found.scores, [0.3, 0.6, 0.5, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found.centers_zyx_mm[0], [1.5, 1.5, 1.5])
    np.testing.assert_allclose(found.centers_zyx_mm[3], [21.5, 25.5, 29.5])


def test_equal_values_that_touch_are_one_peak():
    found = find_peaks(make_maps({(2, 3, 4): 0.5, (2, 3, 5): 0.5, (2, 4, 6): 0.5, (0, 0, 0): 0.5}), GRID, 0.1)
    np.testing.assert_allclose(found.centers_zyx_mm, [[1.5, 1.5, 1.5], [9.5, 13.5, 17.5]])


def test_values_below_the_threshold_are_dropped_and_those_at_it_kept():
    maps = make_maps({(2, 3, 4): 0.5, (0, 0, 0): 0.25})
    assert len(find_peaks(maps, GRID, 0.25)) == 2
    assert len(find_peaks(maps, GRID, 0.3)) == 1
    nothing = find_peaks(maps, GRID, 0.6)
    assert len(nothing) == 0
    assert nothing.centers_zyx_mm.shape == (0, 3)


def test_a_region_of_minus_infinity_holds_no_peak():
    maps = make_maps({})
    maps.heatmap[:] = -np.inf
    maps.heatmap[5, 6, 7] = 0.5
    assert len(find_peaks(maps, GRID, 0.0)) == 1
