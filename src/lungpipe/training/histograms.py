"""Histograms of scores, from which ranking metrics are computed; they add up over batches and processes."""

import torch
from torch import Tensor

NUM_BINS = 4096
LARGEST_LOGIT = 16.0


def histogram(logits_N: Tensor, weights_N: Tensor) -> Tensor:
    """Return the weighted histogram (NUM_BINS,) float64 of logits between -16 and 16; logits beyond go to the end bins.

    A bin is 1/128 wide: two scores in one bin differ by less than 0.002 in probability and count as tied.
    """
    scaled = (logits_N.detach().float() + LARGEST_LOGIT) * (NUM_BINS / (2 * LARGEST_LOGIT))
    # NaN must not go to a bin silently: its weight turns the whole histogram to NaN
    weights = torch.where(scaled.isnan(), scaled, weights_N.float()).double()
    bins = scaled.nan_to_num().clamp(0, NUM_BINS - 1).long()
    return torch.zeros(NUM_BINS, dtype=torch.float64, device=logits_N.device).index_add_(0, bins, weights)


def auc_of(positives: Tensor, negatives: Tensor) -> float:
    """Return the probability that a positive scores higher than a negative, ties counting half; NaN without either."""
    below = negatives.cumsum(0) - 0.5 * negatives
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def average_precision_of(positives: Tensor, negatives: Tensor) -> float:
    """Return the mean precision over the positives, ties counting as one step; NaN without positives."""
    found, marked = positives.flip(0), (positives + negatives).flip(0)
    precision = found.cumsum(0) / marked.cumsum(0).clamp(min=1e-12)
    return float((precision * found).sum() / found.sum())
