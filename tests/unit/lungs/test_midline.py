"""The middle of drawn bodies: seen whole, cut on one side, with a spine and without."""

import numpy as np
import pytest

from lungpipe.lungs.midline import find_middle as find_with_air

SHAPE = (12, 40, 60)


def find_middle(hu, body, lungs=()):
    air = np.zeros(SHAPE, bool)
    for low, high in lungs:
        air[:, 10:30, low:high] = True
    return find_with_air(hu, body, air)


def draw_body(first, last, spine_x=None, share=1.0, bone_hu=400):
    """Draw tissue from column `first` to `last` (without it), and a spine in a share of the slices."""
    body = np.zeros(SHAPE, bool)
    body[:, 5:35, first:last] = True
    hu = np.where(body, 40, -1000).astype(np.int16)
    if spine_x is not None:
        hu[: round(share * SHAPE[0]), 26:32, spine_x - 2 : spine_x + 3] = bone_hu
    return hu, body


@pytest.mark.parametrize("spine_x", [None, 20])
def test_a_body_seen_from_skin_to_skin_has_its_own_middle(spine_x):
    middle, width = find_middle(*draw_body(10, 51, spine_x))
    assert middle == pytest.approx(30.0)
    assert width == 41


@pytest.mark.parametrize("spine_x", [None, 20])
def test_a_body_cut_on_both_sides_does_too(spine_x):
    assert find_middle(*draw_body(0, 60, spine_x))[0] == pytest.approx(29.5)


@pytest.mark.parametrize("bone_hu", [400, 120])
@pytest.mark.parametrize(("first", "last", "farthest"), [(0, 50, 29), (10, 60, 39)])
def test_a_body_cut_on_one_side_has_its_middle_at_the_spine(first, last, farthest, bone_hu):
    spine_x = 20 if first == 0 else 49
    middle, width = find_middle(*draw_body(first, last, spine_x, bone_hu=bone_hu))
    assert middle == pytest.approx(spine_x)
    assert width == pytest.approx(2 * farthest + 1)


@pytest.mark.parametrize(("first", "last", "lungs", "expected"), [(0, 50, (5, 40), 0.0), (10, 60, (15, 55), 59.0)])
def test_without_a_spine_one_lung_has_its_middle_where_it_is_cut(first, last, lungs, expected):
    # a rib is no spine: it is in few slices
    for spine_x, share in ((None, 1.0), (30, 0.25)):
        middle, width = find_middle(*draw_body(first, last, spine_x, share), [lungs])
        assert middle == expected
        assert width == pytest.approx(2 * 49 + 1)


def test_without_a_spine_the_middle_of_two_lungs_lies_between_them():
    hu, body = draw_body(10, 60)
    assert find_middle(hu, body, [(15, 30), (38, 56)])[0] == pytest.approx(33.5)
    # what is left of the other lung may be narrow, and stand for itself in front of the cut
    assert find_middle(hu, body, [(15, 50), (57, 60)])[0] == pytest.approx(53.0)
