import numpy as np
import pytest
from scipy import ndimage

from lungpipe.lungs.components import fill_planes, find_boxes, keep_in_planes, label_parts, label_planes, largest_part


def random_mask(seed, density):
    return np.random.default_rng(seed).random((17, 21, 19)) < density


@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_boxes_are_those_of_the_labels_in_their_order(density):
    labels, count = label_planes(random_mask(5, density))
    boxes = find_boxes(labels)
    assert len(boxes) == count
    assert boxes == ndimage.find_objects(labels)


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


@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_parts_of_slices_are_kept_by_choice(density):
    mask = random_mask(4, density)

    def choose(index, labels):
        sizes = np.bincount(labels.ravel())
        return sizes >= 3 if index % 2 else sizes > 0

    expected = np.zeros_like(mask)
    for index, plane in enumerate(mask):
        labels, _ = ndimage.label(plane)
        sizes = np.bincount(labels.ravel())
        expected[index] = plane & (sizes >= (3 if index % 2 else 1))[labels]
    np.testing.assert_array_equal(keep_in_planes(mask, choose), expected)


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
