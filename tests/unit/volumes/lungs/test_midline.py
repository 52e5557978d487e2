"""The middle of drawn bodies: seen whole, cut on one side, with a spine and without."""

import numpy as np
import pytest

from lungpipe.volumes.lungs.midline import find_middle

SHAPE = (12, 40, 60)


def draw_body(first, last, spine_x=None, share=1.0):
    """Draw tissue from column `first` to `last` (without it), and a spine in a share of the slices."""
    body = np.zeros(SHAPE, bool)
    body[:, 5:35, first:last] = True
    hu = np.where(body, 40, -1000).astype(np.int16)
    if spine_x is not None:
        hu[: round(share * SHAPE[0]), 26:32, spine_x - 2 : spine_x + 3] = 400
    return hu, body


@pytest.mark.parametrize("spine_x", [None, 20])
def test_a_body_seen_from_skin_to_skin_has_its_own_middle(spine_x):
    middle, width = find_middle(*draw_body(10, 51, spine_x))
    assert middle == pytest.approx(30.0)
    assert width == 41


@pytest.mark.parametrize("spine_x", [None, 20])
def test_a_body_cut_on_both_sides_does_too(spine_x):
    assert find_middle(*draw_body(0, 60, spine_x))[0] == pytest.approx(29.5)


@pytest.mark.parametrize(("first", "last", "farthest"), [(0, 50, 29), (10, 60, 39)])
def test_a_body_cut_on_one_side_has_its_middle_at_the_spine(first, last, farthest):
    spine_x = 20 if first == 0 else 49
    middle, width = find_middle(*draw_body(first, last, spine_x))
    assert middle == pytest.approx(spine_x)
    assert width == pytest.approx(2 * farthest + 1)


@pytest.mark.parametrize(("first", "last", "expected"), [(0, 50, 0.0), (10, 60, 59.0)])
def test_without_a_spine_the_middle_is_where_it_is_cut(first, last, expected):
    # a rib is no spine: it is in few slices
    for spine_x, share in ((None, 1.0), (30, 0.25)):
        middle, width = find_middle(*draw_body(first, last, spine_x, share))
        assert middle == expected
        assert width == pytest.approx(2 * 49 + 1)
