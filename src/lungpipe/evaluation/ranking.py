"""Ranking of cases by a score: area under the ROC curve and average precision, with bootstrap intervals; numpy only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.bootstrap import interval

FloatArray = NDArray[np.float64]


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: the probability that a positive scores higher, ties counting half.

    NaN without positives or without negatives.
    """
    weights = np.ones((1, np.size(labels)))
    return float(_weighted_auc(*_checked(labels, scores), weights)[0])


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the ROC curve from (0, 0) to (1, 1): false and true positive rate, ties as one step.

    Empty arrays without positives or without negatives.
    """
    label, score = _checked(labels, scores)
    num_positive = label.sum()
    if not 0 < num_positive < len(label):
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    found = np.cumsum(label[order])[ends]
    wrong = ends + 1 - found
    return np.append(0.0, wrong / (len(label) - num_positive)), np.append(0.0, found / num_positive)


def auc_samples(
    labels: ArrayLike,
    scores: ArrayLike,
    num_bootstraps: int,
    rng: np.random.Generator,
    *,
    groups: Sequence[str] | None = None,
) -> FloatArray:
    """Return the AUC (samples,) of bootstrap samples; NaN for samples of one class.

    `groups` (patients, scans) are drawn whole: the cases of one group are not independent. Generators of the same
    seed draw the same samples for any scores.
    """
    label, score = _checked(labels, scores)
    places = np.arange(len(label)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    num_groups = int(places.max()) + 1 if len(places) else 0
    weights = np.stack([_draw(num_groups, rng)[places] for _ in range(num_bootstraps)]).astype(np.float64)
    return _weighted_auc(label, score, weights)


def auc_ci(
    labels: ArrayLike,
    scores: ArrayLike,
    num_bootstraps: int,
    rng: np.random.Generator,
    *,
    groups: Sequence[str] | None = None,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the AUC; NaN where no sample holds both classes."""
    low, high = interval(auc_samples(labels, scores, num_bootstraps, rng, groups=groups))
    return float(low), float(high)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the mean precision over the positives, without interpolation, ties counting as one step.

    NaN without positives.
    """
    label, score = _checked(labels, scores)
    if not label.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    found = np.cumsum(label[order])[ends]
    gained = np.diff(found, prepend=0)
    return float((gained * found / (ends + 1)).sum() / label.sum())


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], FloatArray]:
    label, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if label.shape != score.shape or label.ndim != 1:
        raise ValueError(f"expected one label and one score a case, found shapes {label.shape} and {score.shape}")
    if not np.isin(label, (0.0, 1.0)).all() or not np.isfinite(score).all():
        raise ValueError("expected labels 0 or 1 and finite scores, found others")
    return label == 1.0, score


def _draw(number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.bincount(rng.integers(0, number, number), minlength=number) if number else np.zeros(0, dtype=np.int64)


def _weighted_auc(label: NDArray[np.bool_], score: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the AUC (samples,) with cases counted by `weights` (samples, cases)."""
    if not len(label):
        return np.full(len(weights), np.nan)
    order = np.argsort(score, kind="stable")
    ranked, steps = score[order], weights[:, order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    positives = np.add.reduceat(steps * label[order], starts, axis=1)
    negatives = np.add.reduceat(steps * ~label[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - 0.5 * negatives
    with np.errstate(invalid="ignore"):
        return (positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))
