"""Balls on packed masks: exact, whatever the spacing, the width of a line and the size of the ball."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from lungpipe.lungs.morphology import bounding_box, close_mm, dilate_mm, erode_mm, pack, spread_faces, unpack

SPACINGS = [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (0.6, 1.1, 3.0)]


def random_mask(seed, density=0.01):
    return np.random.default_rng(seed).random((17, 21, 19)) < density


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0, 5.0])
def test_dilation_is_the_exact_ball(spacing, margin):
    mask = random_mask(1)
    expected = ndimage.distance_transform_edt(~mask, sampling=spacing) <= margin + 1e-9
    np.testing.assert_array_equal(dilate_mm(mask, spacing, margin), expected)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_erosion_is_the_dilation_of_the_rest(spacing):
    mask = ~random_mask(2)
    expected = ndimage.distance_transform_edt(mask, sampling=spacing) > 2.2
    np.testing.assert_array_equal(erode_mm(mask, spacing, 2.2), expected)


def test_margin_of_nothing_and_nothing_to_dilate():
    mask = random_mask(3)
    np.testing.assert_array_equal(dilate_mm(mask, (1.0, 1.0, 1.0), 0.0), mask)
    assert not dilate_mm(np.zeros((4, 4, 4)), (1.0, 1.0, 1.0), 9.0).any()
    assert dilate_mm(np.ones((4, 4, 4), np.uint8) * 2, (1.0, 1.0, 1.0), 9.0).all()


def test_dilated_ball_holds_its_volume():
    mask = np.zeros((41, 41, 41), bool)
    mask[20, 20, 20] = True
    assert dilate_mm(mask, (0.5, 0.5, 0.5), 8.0).sum() * 0.125 == pytest.approx(4 / 3 * np.pi * 512, rel=0.02)


def test_closing_bridges_a_gap_and_leaves_the_outside():
    mask = np.zeros((20, 20, 20), bool)
    mask[5:15, 5:15, 4:9] = mask[5:15, 5:15, 11:16] = True
    closed = close_mm(mask, (1.0, 1.0, 1.0), 2.0)
    assert closed[10, 10, 9:11].all()
    assert (closed & mask).sum() == mask.sum()
    assert not closed[:5].any()
    assert not closed[:, :, 16:].any()


def test_closing_at_the_border_fills_nothing_between_mask_and_border():
    mask = np.zeros((10, 10, 10), bool)
    mask[:, :, 2:5] = True
    np.testing.assert_array_equal(close_mm(mask, (1.0, 1.0, 1.0), 3.0), mask)


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 140)),
    spacing=st.tuples(*[st.sampled_from([0.3, 0.5, 1.0, 2.1])] * 3),
    margin=st.floats(0.1, 40.0),
    seed=st.integers(0, 9),
)
def test_lines_of_any_length_and_balls_of_any_size_are_exact(shape, spacing, margin, seed):
    mask = np.random.default_rng(seed).random(shape) < 0.02
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing) if mask.any() else np.full(shape, np.inf)
    # on the ball's very surface, rounding decides
    is_clear = np.abs(distance - margin) > 1e-6
    np.testing.assert_array_equal(dilate_mm(mask, spacing, margin)[is_clear], (distance <= margin)[is_clear])


@given(num_x=st.integers(1, 200), seed=st.integers(0, 9))
def test_packing_is_undone_and_faces_spread_by_one(num_x, seed):
    mask = np.random.default_rng(seed).random((3, 5, num_x)) < 0.1
    np.testing.assert_array_equal(unpack(pack(mask), num_x), mask)
    spread = unpack(spread_faces(pack(mask)), num_x)
    np.testing.assert_array_equal(spread, ndimage.binary_dilation(mask))


def test_bounding_box_is_widened_within_the_array():
    mask = np.zeros((9, 9, 9), bool)
    mask[0, 4, 8] = True
    assert bounding_box(mask, (2, 2, 2)) == (slice(0, 3), slice(2, 7), slice(6, 11))
    assert mask[bounding_box(mask, (2, 2, 2))].shape == (3, 5, 3)
    assert bounding_box(np.zeros((2, 2, 2), bool), (0, 0, 0)) is None
