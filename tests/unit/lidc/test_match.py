"""Readers' nodules become physical ones, and those the annotations' ones."""

import numpy as np
import pytest

from lungpipe.lidc.match import NoduleGroup, group_nodules, match_groups, match_heights
from lungpipe.lidc.pixel_map import PixelMap
from lungpipe.lidc.xml import CHARACTERISTICS, Contour, Reading, ReadNodule

PIXELS = PixelMap((0.5, 0.5), (0.0, 0.0), "scan")


@pytest.fixture
def build(writing):
    """A reading of square nodules: (reader, name, first pixel, last pixel, z)."""

    def one(reader, name, low, high, z):
        ratings = dict.fromkeys(CHARACTERISTICS, reader + 1)
        return ReadNodule(reader, name, ratings, (Contour(z, np.array(writing.square(low, high)), True),))

    def reading(*rows):
        return Reading("a.xml", "1.2", 4, tuple(one(*row) for row in rows), ())

    return reading


def names(groups):
    return sorted("".join(member.name for member in group.members) for group in groups)


def test_what_lies_together_is_one_nodule_in_the_order_of_readers(build):
    reading = build((2, "c", 20, 29, 0.0), (0, "a", 21, 30, 0.0), (1, "b", 20, 29, 2.0), (1, "x", 60, 69, 0.0))
    groups = group_nodules(reading, PIXELS)
    assert names(groups) == ["abc", "x"]
    group = next(group for group in groups if len(group.members) == 3)
    # pixel centres 25.5, 24.5, 24.5 at half a millimetre; z 0, 2, 0
    assert group.center_zyx_mm == pytest.approx((2 / 3, 12 + 5 / 12, 12 + 5 / 12))
    assert group.ratings("malignancy") == (1, 2, 3)


def test_centres_further_apart_than_both_radii_are_two_nodules(build):
    # 10 x 10 pixels of 0.5 mm have the area of a disc of 2.82 mm radius: two of them reach 5.64 mm
    assert names(group_nodules(build((0, "a", 20, 29, 0.0), (1, "b", 20, 29, 5.6)), PIXELS)) == ["ab"]
    assert names(group_nodules(build((0, "a", 20, 29, 0.0), (1, "b", 20, 29, 5.7)), PIXELS)) == ["a", "b"]


def test_a_reader_has_one_nodule_in_a_group_the_nearest(build):
    reading = build((0, "a", 20, 29, 0.0), (1, "b", 20, 29, 0.0), (1, "c", 23, 32, 0.0), (2, "d", 20, 29, 0.0))
    assert names(group_nodules(reading, PIXELS)) == ["abd", "c"]


def test_no_nodules_no_groups(build):
    assert group_nodules(build(), PIXELS) == ()


def group(name, center, num_readers):
    return NoduleGroup(tuple(ReadNodule(k, name, {}, ()) for k in range(num_readers)), center)


def matched(match, groups, centers, diameters):
    found = match(groups, np.array(centers, float), np.array(diameters, float))
    return [None if item is None else item.members[0].name for item in found]


def test_an_annotation_takes_the_nearest_group_inside_it():
    groups = [group("far", (0, 0, 2.4), 4), group("near", (0, 0, 1.0), 3), group("outside", (0, 0, -2.5), 4)]
    assert matched(match_groups, groups, [(0, 0, 0)], [5.0]) == ["near"]
    assert matched(match_groups, groups[2:], [(0, 0, 0)], [5.0]) == [None]
    assert matched(match_groups, [], [(0, 0, 0)], [5.0]) == [None]


def test_a_group_serves_the_nearer_of_two_annotations():
    groups = [group("a", (0, 0, 1), 4), group("b", (0, 0, 4), 4)]
    assert matched(match_groups, groups, [(0, 0, 3), (0, 0, 0)], [10.0, 10.0]) == ["b", "a"]


def test_a_part_that_one_reader_split_off_is_not_the_nodule():
    groups = [group("part", (0, 0, 0.5), 1), group("whole", (0, 0, 1.5), 4)]
    assert matched(match_groups, groups, [(0, 0, 0)], [6.0]) == ["whole"]
    assert matched(match_groups, groups[:1], [(0, 0, 0)], [6.0]) == ["part"]


def test_heights_alone_match_where_there_is_no_choice():
    groups = [group("low", (0, 900, 900), 3), group("high", (50, 0, 0), 4), group("few", (50, 0, 0), 2)]
    assert matched(match_heights, groups, [(51, 0, 0), (1, 5, 5)], [6.0, 6.0]) == ["high", "low"]
    assert matched(match_heights, groups, [(51, 0, 0), (49, 5, 5)], [6.0, 6.0]) == [None, None]
    assert matched(match_heights, [*groups, group("twin", (52, 1, 1), 3)], [(51, 0, 0)], [6.0]) == [None]
    assert matched(match_heights, groups, [(53, 0, 0)], [6.0]) == [None]
