"""Rated nodules: those of the fold's test series alone, at their annotated centres with their diameters."""

import numpy as np
import pytest
import torch

from lungpipe.datasets.leaks import LeakError
from lungpipe.inference.rating import rate_nodules
from lungpipe.inference.scorer import Scorer
from lungpipe.tables import CHARACTERISTICS, RATED


@pytest.fixture
def stores(write_store):
    rng = np.random.default_rng(1)
    return {uid: write_store(uid, rng.integers(-1000, 400, (24, 22, 20))) for uid in ("1.3", "1.4")}


@pytest.fixture
def nodules(make_nodules):
    return make_nodules(
        ("1.3", (9.0, 8.0, 7.0), 4.0, None), ("1.9", (9.0, 8.0, 7.0), 4.0, None), ("1.3", (12.0, 9.0, 9.0), 15.0, None),
        ("1.3", (99.0, 9.0, 9.0), 4.0, None),
    )  # fmt: skip


@pytest.fixture
def scorer(models, cpu):
    model = models.rating_scorer(num_views=1)
    torch.nn.init.normal_(model.members[0].ratings.weight, std=1.0)
    return Scorer(model, model.card.part.inference, cpu)


def test_every_nodule_of_the_series_is_rated_as_by_the_scorer(scorer, stores, nodules):
    from lungpipe.volumes.store import open_volume

    rated = rate_nodules(scorer, stores, nodules, fold=2)
    assert rated["nodule_id"].tolist() == ["1.3#0", "1.3#2"]
    scores = scorer.score(open_volume(stores["1.3"]), [(9.0, 8.0, 7.0), (12.0, 9.0, 9.0)], [4.0, 15.0])
    np.testing.assert_array_equal(rated["malignancy"], scores.malignancy)
    columns = [f"{name}_expected" for name in CHARACTERISTICS]
    np.testing.assert_array_equal(rated[columns], scores.expected_ratings)
    np.testing.assert_allclose(rated["high_malignancy"], scores.ratings[:, 0, 3] + scores.ratings[:, 0, 4])


def test_a_network_without_ratings_gives_malignancy_alone(models, cpu, stores, nodules):
    model = models.scorer(num_views=1)
    rated = rate_nodules(Scorer(model, model.card.part.inference, cpu), stores, nodules, fold=2)
    assert rated["malignancy"].between(0, 1).all()
    assert rated.drop(columns=["nodule_id", "fold", "malignancy"]).isna().all(axis=None)


def test_no_nodules_give_a_valid_table(scorer, stores, nodules):
    assert RATED.conform(rate_nodules(scorer, stores, nodules.iloc[:0], fold=2)).empty


def test_a_scorer_that_saw_a_series_or_is_another_folds_is_refused(scorer, stores, nodules):
    with pytest.raises(LeakError, match="expected a model of fold 1"):
        rate_nodules(scorer, stores, nodules, fold=1)
    with pytest.raises(LeakError, match=r"found 1 that it was trained or validated on, the first 1\.1"):
        rate_nodules(scorer, {"1.1": stores["1.3"]}, nodules, fold=2)
