"""Labels by the rule of the evaluation."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.candidates import label_candidates
from lungpipe.tables import CENTER_COLUMNS


def candidates(*rows):
    return pd.DataFrame([(uid, *center) for uid, center in rows], columns=["series_uid", *CENTER_COLUMNS])


@pytest.mark.parametrize(("x", "is_hit"), [(0.0, True), (2.999, True), (3.0, False), (3.5, False)])
def test_a_nodule_is_hit_strictly_inside_its_radius(make_nodules, make_exclusions, x, is_hit):
    labels = label_candidates(
        candidates(("a", (0, 0, x))), make_nodules(("a", (0, 0, 0), 6.0, None)), make_exclusions()
    )
    assert labels.is_nodule.tolist() == [is_hit]
    assert labels.is_negative.tolist() == [not is_hit]


def test_inside_two_nodules_the_nearest_counts_and_other_series_do_not(make_nodules, make_exclusions):
    nodules = make_nodules(("b", (0, 0, 4), 30.0, None), ("a", (0, 0, 0), 30.0, None), ("a", (0, 0, 10), 30.0, None))
    found = candidates(("a", (0, 0, 4)), ("a", (0, 0, 6)), ("b", (0, 0, 6)), ("c", (0, 0, 0)))
    assert label_candidates(found, nodules, make_exclusions()).nodule_row.tolist() == [1, 2, 0, -1]


def test_the_nearest_centre_does_not_count_where_its_sphere_is_missed(make_nodules, make_exclusions):
    nodules = make_nodules(("a", (0, 0, 0), 2.0, None), ("a", (0, 0, 10), 30.0, None))
    labels = label_candidates(candidates(("a", (0, 0, 2))), nodules, make_exclusions())
    assert labels.nodule_row.tolist() == [1]


def test_exclusions_are_neither_unless_a_nodule_is_hit_too(make_nodules, make_exclusions):
    nodules = make_nodules(("a", (0, 0, 0), 6.0, None))
    exclusions = make_exclusions(("a", (0, 0, 4), 6.0), ("a", (0, 50, 0), -1.0))
    # in both, in the exclusion alone, in one of unknown diameter (10 mm), in nothing, in another series
    found = candidates(("a", (0, 0, 2)), ("a", (0, 0, 5)), ("a", (0, 54.9, 0)), ("a", (0, 55, 0)), ("b", (0, 0, 4)))
    labels = label_candidates(found, nodules, exclusions)
    assert labels.is_nodule.tolist() == [True, False, False, False, False]
    assert labels.is_ignored.tolist() == [False, True, True, False, False]
    assert labels.is_negative.tolist() == [False, False, False, True, True]


def test_rows_are_positions_whatever_the_index(make_nodules, make_exclusions):
    nodules = make_nodules(("a", (9, 9, 9), 4.0, None), ("a", (0, 0, 0), 4.0, None)).set_index(pd.Index([7, 3]))
    found = candidates(("a", (5, 5, 5)), ("a", (0, 0, 0))).set_index(pd.Index([1, 0]))
    assert label_candidates(found, nodules, make_exclusions()).nodule_row.tolist() == [-1, 1]


def test_nothing_to_label(make_nodules, make_exclusions):
    labels = label_candidates(candidates(), make_nodules(("a", (0, 0, 0), 4.0, None)), make_exclusions())
    assert (labels.nodule_row.shape, labels.is_ignored.shape, labels.nodule_row.dtype) == ((0,), (0,), np.int64)
