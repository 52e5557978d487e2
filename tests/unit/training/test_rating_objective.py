"""The loss of the ratings by hand: shares of readers, and what is unrated teaches nothing."""

import math

import numpy as np
import pytest
import torch
from objective_parts import losses_of_parts

from lungpipe.settings.recipe.scorer import RatingObjectiveSettings
from lungpipe.training.rating_objective import RatingObjective
from lungpipe.training.step import split

NAN = math.nan
UNKNOWN = [[NAN] * 6] * 9


def objective(ratings_weight=1.0, malignancy_weight=0.0):
    return RatingObjective(RatingObjectiveSettings(ratings_weight=ratings_weight, malignancy_weight=malignancy_weight))


def rated(*shares):
    """Ratings of one patch: the given characteristics first, the others unknown."""
    return [*shares, *UNKNOWN[len(shares) :]]


@pytest.fixture
def labelled(make_patches):
    def make(ratings, **changes):
        nodule = [0.0 if np.isnan(patch).all() else 1.0 for patch in ratings]
        labels = {"is_nodule": nodule, "malignancy": [NAN] * len(ratings), "ratings": ratings}
        return make_patches(*[[]] * len(ratings), labels=labels, **changes)

    return make


def outputs_of(ratings):
    return {"nodule": torch.zeros(len(ratings)), "malignancy": torch.zeros(len(ratings)), "ratings": ratings}


HALVES, FIRST = [0.5, 0.5, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]


def test_the_cross_entropy_of_even_logits_is_that_of_six_equal_ratings(labelled):
    patches = labelled([rated(HALVES, FIRST), UNKNOWN])
    outputs = outputs_of(torch.zeros(2, 9, 6, requires_grad=True))
    loss = objective().loss(outputs, patches)
    loss.backward()
    # two of nine characteristics are rated, each by one patch
    assert loss.item() == pytest.approx(math.log(2) + 2 / 9 * math.log(6))
    gradient = outputs["ratings"].grad
    torch.testing.assert_close(gradient[0, 0], (torch.full((6,), 1 / 6) - torch.tensor(HALVES)) / 9)
    assert gradient[0, 2:].abs().max() == 0
    assert gradient[1].abs().max() == 0


def test_a_mean_is_over_the_patches_that_are_rated_by_their_weight(labelled):
    patches = labelled([rated(FIRST), rated(FIRST), UNKNOWN], weights=[3.0, 1.0, 5.0])
    ratings = torch.zeros(3, 9, 6)
    ratings[0, 0, 0] = 2.0
    sharp = math.log(math.exp(2) + 5) - 2
    loss = objective().loss(outputs_of(ratings), patches)
    assert loss.item() == pytest.approx(math.log(2) + (3 * sharp + math.log(6)) / 4 / 9, rel=1e-6)
    assert objective().counts(patches).tolist() == [9, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]


def test_losses_of_parts_add_up_to_that_of_the_whole(labelled):
    patches = labelled([rated(HALVES, FIRST), UNKNOWN, rated(FIRST)])
    outputs = outputs_of(torch.randn(3, 9, 6, generator=torch.Generator().manual_seed(0)))
    parts = losses_of_parts(objective(), outputs, patches, 2)
    torch.testing.assert_close(sum(parts), objective().loss(outputs, patches))


def test_validation_adds_up_to_the_loss(labelled):
    patches = labelled([rated(HALVES, FIRST), UNKNOWN, rated(FIRST)])
    outputs = outputs_of(torch.randn(3, 9, 6, generator=torch.Generator().manual_seed(0)))
    own = objective(ratings_weight=0.7)
    totals = [own.measure({k: v[part] for k, v in outputs.items()}, piece) for part, piece in zip(
        (slice(0, 2), slice(2, 3)), split(patches, 2), strict=True)]  # fmt: skip
    metrics = own.summary({name: totals[0][name] + totals[1][name] for name in totals[0]})
    assert metrics["validation_loss"] == pytest.approx(own.loss(outputs, patches).item(), rel=1e-6)
    assert metrics["score"] == -metrics["validation_loss"]
    without = metrics["validation_loss"] - 0.7 * metrics["validation_ratings_entropy"]
    assert without == pytest.approx(math.log(2))


def test_without_weight_the_ratings_teach_nothing(labelled):
    patches = labelled([rated(HALVES), UNKNOWN])
    loss = objective(ratings_weight=0.0).loss(outputs_of(torch.randn(2, 9, 6)), patches)
    assert loss.item() == pytest.approx(math.log(2))
