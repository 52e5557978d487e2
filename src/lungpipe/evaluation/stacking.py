"""Logistic regression on normal scores, cross-fitted: each group of cases is judged by weights from the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.calibration import fit_penalised, logistic
from lungpipe.evaluation.normal_scores import NormalScores

FloatArray = NDArray[np.float64]
RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Strengths of the ridge among which the training groups choose, in units of one case's curvature."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticWeights:
    """Weights of the normal scores of values; `scores` maps values as the fitted cases were mapped."""

    intercept: float
    weights: FloatArray
    scores: NormalScores

    def logits(self, values: ArrayLike) -> FloatArray:
        """Return the logits (N,) of values (N, K)."""
        return self.intercept + self.scores.transform(values) @ self.weights

    def predict(self, values: ArrayLike) -> FloatArray:
        """Return the probabilities (N,) of values (N, K)."""
        return logistic(self.logits(values))


def fit_ridge(labels: ArrayLike, values: ArrayLike, ridge: float, cases: ArrayLike | None = None) -> LogisticWeights:
    """Return the logistic regression of labels (N,) on the normal scores of values (N, K) with a ridge.

    Labels may be shares between 0 and 1; `cases` (N,) says how many cases each row stands for. The intercept is not
    shrunk.
    """
    label, value = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    scores = NormalScores.fit(value)
    intercept, slopes = fit_penalised(label, scores.transform(value), strength=ridge, cases=cases)
    return LogisticWeights(intercept, slopes, scores)


def choose_ridge(
    labels: FloatArray, values: FloatArray, groups: NDArray[np.int64], ridges: Sequence[float] = RIDGES
) -> float:
    """Return the ridge with the smallest log loss over groups that are left out one after another.

    With a single group nothing can be left out; then the middle of `ridges` is returned.
    """
    names = np.unique(groups)
    if len(names) < 2:
        return ridges[len(ridges) // 2]
    losses = []
    for ridge in ridges:
        loss = 0.0
        for name in names:
            out = groups == name
            logits = fit_ridge(labels[~out], values[~out], ridge).logits(values[out])
            loss += float((np.logaddexp(0.0, logits) - labels[out] * logits).sum())
        losses.append(loss)
    return float(ridges[int(np.argmin(losses))])


def cross_fit(labels: ArrayLike, values: ArrayLike, groups: ArrayLike) -> FloatArray:
    """Return the probabilities (N,) of cases, each from weights and a ridge that its group had no part in.

    Labels (N,) may be shares between 0 and 1; values (N, K); groups (N,).

    Raises:
        ValueError: a single group, or values that are not finite.
    """
    label, value = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    group = np.asarray(groups, dtype=np.int64)
    if len(np.unique(group)) < 2 or not np.isfinite(value).all():
        raise ValueError(f"stack: expected finite values of two groups or more, found {len(np.unique(group))} groups")
    probabilities = np.empty(len(label))
    for name in np.unique(group):
        out = group == name
        ridge = choose_ridge(label[~out], value[~out], group[~out])
        probabilities[out] = fit_ridge(label[~out], value[~out], ridge).predict(value[out])
    return probabilities
