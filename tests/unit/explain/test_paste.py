"""Maps of candidates on the grid of a scan."""

import numpy as np
import pytest

from lungpipe.explain.candidates import PatchMap
from lungpipe.explain.heat_colours import COLOURS, heat_colours
from lungpipe.explain.paste import paste_maps
from lungpipe.geometry import Grid


def peak(start, side=5, value=8.0):
    values = np.zeros((side,) * 3, np.float32)
    values[2, 2, 2] = value
    return PatchMap(values, Grid((side,) * 3, (1.0, 1.0, 1.0), start), 0.0)


def test_a_map_is_put_at_its_place_in_the_world_relative_to_its_maximum():
    pasted = paste_maps([peak((10.0, 20.0, 30.0))], Grid((20, 40, 50)))
    assert pasted.dtype == np.float32
    assert np.argwhere(pasted > 0).tolist() == [[12, 22, 32]]
    assert pasted.max() == 1.0


def test_a_flipped_grid_of_another_spacing_shows_the_same_place():
    # axis x runs to the right: world x = 60 - 2 index
    flipped = Grid(
        (40, 80, 30), (0.5, 0.5, 2.0), (0.0, 0.0, 60.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    )
    pasted = paste_maps([peak((10.0, 20.0, 30.0))], flipped)
    assert np.unravel_index(pasted.argmax(), pasted.shape) == (24, 44, 14)
    assert pasted[23, 44, 14] == pytest.approx(0.5)


def test_the_larger_value_counts_and_parts_outside_are_left_out():
    low, high = peak((0.0, 0.0, 0.0)), peak((0.0, 0.0, 1.0))
    both = paste_maps([low, high, peak((-3.0, 0.0, 0.0)), peak((100.0, 0.0, 0.0))], Grid((6, 6, 6)))
    assert both[2, 2, 2] == 1.0
    assert both[2, 2, 3] == 1.0
    assert both.sum() == 2.0
    assert not paste_maps([], Grid((2, 2, 2))).any()


def test_a_map_of_zero_stays_zero():
    flat = PatchMap(np.zeros((3, 3, 3), np.float32), Grid((3, 3, 3)), 0.0)
    assert not paste_maps([flat], Grid((3, 3, 3))).any()
    assert np.isnan(flat.share_within((1.0, 1.0, 1.0), 2.0))


def test_the_share_within_a_sphere():
    even = PatchMap(np.ones((5, 5, 5), np.float32), Grid((5, 5, 5), (2.0, 2.0, 2.0), (1.0, 1.0, 1.0)), 0.0)
    # radius 2.1 mm around the middle: one voxel and its six neighbours
    assert even.share_within((5.0, 5.0, 5.0), 4.2) == pytest.approx(7 / 125)
    assert even.share_within((5.0, 5.0, 5.0), 40.0) == pytest.approx(1.0)


def test_heat_colours_pass_through_the_table():
    np.testing.assert_allclose(heat_colours([0.0, 1.0]), [COLOURS[0], COLOURS[-1]])
    np.testing.assert_allclose(heat_colours(0.85), np.mean(COLOURS[2:], axis=0))
