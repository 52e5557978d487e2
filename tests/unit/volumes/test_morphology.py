import numpy as np
import pytest
from scipy import ndimage

from lungpipe.volumes.morphology import (
    bounding_box,
    close_mm,
    dilate_mm,
    erode_mm,
    fill_planes,
    label_parts,
    label_planes,
    largest_part,
)

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


def test_planes_are_filled_one_by_one():
    mask = np.zeros((3, 7, 7), bool)
    mask[1, 1:6, 1:6] = True
    mask[1, 3, 3] = False
    mask[2, 1:6, 1] = True
    filled = fill_planes(mask, 1)
    assert filled[1, 3, 3]
    assert filled[2].sum() == 5
    assert not filled[0].any()


def test_large_holes_stay_open():
    mask = np.ones((1, 9, 9), bool)
    mask[0, 2:5, 2:5] = mask[0, 7, 7] = False
    assert (~fill_planes(mask, 8)).sum() == 9
    assert fill_planes(mask, 9).all()


def test_bounding_box_is_widened_within_the_array():
    mask = np.zeros((9, 9, 9), bool)
    mask[0, 4, 8] = True
    assert bounding_box(mask, (2, 2, 2)) == (slice(0, 3), slice(2, 7), slice(6, 11))
    assert mask[bounding_box(mask, (2, 2, 2))].shape == (3, 5, 3)
    assert bounding_box(np.zeros((2, 2, 2), bool), (0, 0, 0)) is None


def test_components_are_numbered_as_scipy_numbers_them():
    mask = random_mask(6, density=0.3)
    expected, num_expected = ndimage.label(mask)
    labels, count = label_parts(mask)
    assert count == num_expected
    np.testing.assert_array_equal(labels, expected)
    planes = np.zeros((3, 3, 3), bool)
    planes[1] = ndimage.generate_binary_structure(2, 1)
    expected, num_expected = ndimage.label(mask, planes)
    labels, count = label_planes(mask)
    assert count == num_expected
    np.testing.assert_array_equal(labels, expected)


def test_largest_part_is_one_component():
    mask = np.zeros((5, 5, 5), bool)
    mask[0, 0, :2] = mask[4, 4, 1:] = True
    # a diagonal neighbour is another part
    mask[1, 1, 0] = True
    assert np.argwhere(largest_part(mask)).tolist() == [[4, 4, 1], [4, 4, 2], [4, 4, 3], [4, 4, 4]]
    assert not largest_part(np.zeros((3, 3, 3), bool)).any()
