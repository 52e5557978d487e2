"""Readers' ratings as labels: shares of readers, and the weight of nodules that few readers saw."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.sampling.rating_labels import rating_labels, reader_weights
from lungpipe.tables import CHARACTERISTICS, RATING_COLUMNS, RATINGS


@pytest.fixture
def ratings():
    table = pd.DataFrame({"nodule_id": ["a", "b", "c"]})
    for column in RATING_COLUMNS.values():
        table[column] = [None] * 3
    table["malignancy_ratings"] = ["4;4;5;1", "3;2", None]
    table["calcification_ratings"] = ["6;6;6;3", None, "1"]
    return RATINGS.conform(table)


@pytest.fixture
def points():
    return pd.DataFrame({"nodule_id": ["b", None, "a", "c", "unknown", "b"], "weight": [1.0, 1.0, 2.0, 1.0, 1.0, 3.0]})


def test_labels_are_shares_of_readers(points, ratings):
    labels = rating_labels(points, ratings)
    assert (labels.shape, labels.dtype) == ((6, 9, 6), np.float32)
    malignancy, calcification = (list(CHARACTERISTICS).index(name) for name in ("malignancy", "calcification"))
    np.testing.assert_allclose(labels[2, malignancy], [0.25, 0, 0, 0.5, 0.25, 0])
    np.testing.assert_allclose(labels[0, malignancy], [0, 0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(labels[2, calcification], [0, 0, 0.25, 0, 0, 0.75])
    np.testing.assert_array_equal(labels[0], labels[5])


def test_what_is_not_rated_is_unknown(points, ratings):
    is_known = ~np.isnan(rating_labels(points, ratings)).any(axis=2)
    names = list(CHARACTERISTICS)
    assert [[names[k] for k in np.flatnonzero(row)] for row in is_known] == [
        ["malignancy"], [], ["malignancy", "calcification"], ["calcification"], [], ["malignancy"],
    ]  # fmt: skip


def test_a_nodule_counts_by_the_share_of_four_readers(points, ratings):
    assert reader_weights(points, ratings).tolist() == [0.5, 1.0, 2.0, 1.0, 1.0, 1.5]


def test_more_than_four_ratings_weigh_as_four(points, ratings):
    many = ratings.assign(malignancy_ratings="1;1;1;1;1;1")
    assert reader_weights(points, many).tolist() == points["weight"].tolist()
