"""Merging by hand: who is dropped for whom."""

import numpy as np
import pytest

from lungpipe.candidates import Detections, merge_detections, to_table
from lungpipe.candidates.merge import overlaps
from lungpipe.tables import CANDIDATES


def on_a_line(*rows):
    """Build detections from (x mm, diameter mm, score)."""
    x, diameters, scores = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return Detections(np.stack([0 * x, 0 * x, x], axis=1), diameters, scores)


def kept_x(detections, distance=5.0, most=100):
    return merge_detections(detections, distance, most).centers_zyx_mm[:, 2].tolist()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 2, 0.5), (4.9, 2, 0.9)], [4.9]),
        ([(0, 2, 0.5), (5.0, 2, 0.9)], [5.0, 0]),
        # inside the radius of the stronger one, though farther than the merge distance
        ([(0, 20, 0.9), (9.9, 2, 0.5)], [0]),
        # the radius of the weaker one does not count
        ([(0, 2, 0.9), (9.9, 20, 0.5)], [0, 9.9]),
        # the middle one falls to the first, and what is dropped drops nothing
        ([(0, 2, 0.9), (4, 2, 0.8), (8, 2, 0.7)], [0, 8]),
    ],
)
def test_weaker_detections_near_stronger_ones_are_dropped(rows, expected):
    assert kept_x(on_a_line(*rows)) == expected
    assert kept_x(on_a_line(*reversed(rows))) == expected


@pytest.mark.parametrize(
    ("rows", "overlap", "expected"),
    [
        # cubes of 10 mm that share 10 x 10 x 4 mm: 400 of 1600
        ([(0, 10, 0.9), (6, 10, 0.5)], 0.25, [0]),
        ([(0, 10, 0.9), (6, 10, 0.5)], 0.26, [0, 6]),
        # a cube of 10 mm that shares 4 mm of its depth with one of 20 mm: 400 of 8600
        ([(0, 20, 0.9), (11, 10, 0.5)], 0.046, [0]),
        ([(0, 20, 0.9), (11, 10, 0.5)], 0.047, [0, 11]),
        # the weaker one inside
        ([(0, 4, 0.9), (5.1, 20, 0.5)], 0.008, [0]),
        ([(0, 10, 0.9), (10, 10, 0.5)], 0.001, [0, 10]),
        ([(0, 10, 0.9), (6, np.nan, 0.5)], 0.001, [0, 6]),
    ],
)
def test_boxes_that_overlap_a_stronger_one_are_dropped(rows, overlap, expected):
    assert merge_detections(on_a_line(*rows), 5.0, 100, overlap).centers_zyx_mm[:, 2].tolist() == expected
    assert kept_x(on_a_line(*rows)) == [rows[0][0], rows[1][0]]


def test_overlaps_are_those_of_monai():
    boxes = pytest.importorskip("monai.data.box_utils")
    random = np.random.default_rng(5)
    found = Detections(random.uniform(0, 30, (40, 3)), random.uniform(3, 20, 40), random.permutation(40) / 40.0)
    sides = found.diameters_mm[:, None] / 2
    corners = np.hstack([found.centers_zyx_mm - sides, found.centers_zyx_mm + sides])
    expected = boxes.box_iou(corners, corners)
    assert (expected > 0).sum() > 100
    for row in range(len(found)):
        np.testing.assert_allclose(overlaps(found, np.arange(len(found)), row), expected[row], rtol=1e-5, atol=1e-7)


def test_the_strongest_are_kept():
    detections = on_a_line((0, 2, 0.1), (10, 2, 0.9), (20, 2, 0.5), (30, 2, 0.7))
    assert kept_x(detections, most=2) == [10, 30]


def test_equal_detections_but_for_their_size_do_not_depend_on_their_order():
    rows = [(0, 2, 0.9), (0, 30, 0.9), (12, 2, 0.5)]
    assert kept_x(on_a_line(*rows)) == kept_x(on_a_line(*reversed(rows)))


def test_no_detections_stay_no_detections():
    assert len(merge_detections(Detections.empty(), 5.0, 100)) == 0


def test_the_table_has_ranked_ids_and_zyx_columns():
    detections = Detections(np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([7.0, 8]), np.array([0.9, 0.4]))
    assert to_table(detections, "1.2.3", 4).to_numpy().tolist() == [
        ["1.2.3#c0", "1.2.3", 1, 2, 3, 7, 0.9, 4],
        ["1.2.3#c1", "1.2.3", 4, 5, 6, 8, 0.4, 4],
    ]
    assert list(to_table(Detections.empty(), "1.2.3", 4).columns) == list(CANDIDATES.columns)
