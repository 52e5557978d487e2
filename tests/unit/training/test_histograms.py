"""Ranking metrics of histograms against those of the scores themselves."""

import math

import numpy as np
import pytest
import torch

from lungpipe.evaluation.ranking import auc, average_precision
from lungpipe.training.histograms import NUM_BINS, auc_of, average_precision_of, histogram


def of_classes(scores, labels):
    values, positive = torch.tensor(scores), torch.tensor(labels, dtype=torch.float32)
    return histogram(values, positive), histogram(values, 1 - positive)


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_with_the_scores(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 60)
    # scores of whole bins, so that binning ties only what is tied
    scores = np.round((rng.normal(0, 2, 60) + labels) * 16) / 16
    histograms = of_classes(scores.tolist(), labels.tolist())
    assert auc_of(*histograms) == pytest.approx(auc(labels, scores), abs=1e-12)
    assert average_precision_of(*histograms) == pytest.approx(average_precision(labels, scores), abs=1e-12)


def test_by_hand():
    positives, negatives = of_classes([3.0, 1.0, 2.0, 0.0], [1, 1, 0, 0])
    assert auc_of(positives, negatives) == pytest.approx(3 / 4)
    assert average_precision_of(positives, negatives) == pytest.approx((1 + 2 / 3) / 2)


def test_they_add_up_and_hold_every_weight(hardware):
    scores = torch.tensor([-1e9, -3.0, 0.0, 2.5, 1e9], device=hardware.device)
    weights = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0], device=hardware.device)
    whole = histogram(scores, weights)
    assert whole.shape == (NUM_BINS,)
    assert whole.sum().item() == 4.5
    assert whole[0].item() == whole[-1].item() == 1.0
    assert whole.equal(histogram(scores[:2], weights[:2]) + histogram(scores[2:], weights[2:]))


def test_one_class_has_no_auc_and_no_positive_no_precision():
    positives, nothing = of_classes([1.0, 2.0], [1, 1])
    assert math.isnan(auc_of(positives, nothing))
    assert math.isnan(auc_of(nothing, positives))
    assert average_precision_of(positives, nothing) == 1.0
    assert math.isnan(average_precision_of(nothing, positives))


def test_a_score_that_is_no_number_is_not_lost():
    assert math.isnan(histogram(torch.tensor([1.0, torch.nan]), torch.ones(2)).sum().item())
