"""Logistic regression on several values, cross-fitted: each group of cases is judged by weights from the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.calibration import fit_penalised, logistic

FloatArray = NDArray[np.float64]
RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Strengths of the ridge among which the training groups choose, in units of one case's curvature."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticWeights:
    """Weights of standardised values; `center` and `scale` are those of the cases that were fitted."""

    intercept: float
    weights: FloatArray
    center: FloatArray
    scale: FloatArray

    def predict(self, values: ArrayLike) -> FloatArray:
        """Return the probabilities (N,) of values (N, K)."""
        standard = (np.asarray(values, dtype=np.float64) - self.center) / self.scale
        return logistic(self.intercept + standard @ self.weights)


def fit_ridge(labels: ArrayLike, values: ArrayLike, ridge: float) -> LogisticWeights:
    """Return the logistic regression of labels (N,) on values (N, K) with a ridge.

    The values are standardised first; the intercept is not shrunk.
    """
    label, value = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    center, scale = value.mean(axis=0), value.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    intercept, slopes = fit_penalised(label, (value - center) / scale, strength=ridge)
    return LogisticWeights(intercept, slopes, center, scale)


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
            probability = np.clip(fit_ridge(labels[~out], values[~out], ridge).predict(values[out]), 1e-9, 1 - 1e-9)
            loss -= float(np.log(np.where(labels[out] == 1, probability, 1.0 - probability)).sum())
        losses.append(loss)
    return float(ridges[int(np.argmin(losses))])


def cross_fit(labels: ArrayLike, values: ArrayLike, groups: ArrayLike) -> FloatArray:
    """Return the probabilities (N,) of cases, each from weights and a ridge that its group had no part in.

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
