"""Calibration of probabilities (Brier score, calibration error and curve), and decisions at a threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
FREE = 1e-6
"""Strength of a prior that leaves an intercept free."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Cases whose probability falls between two edges: their mean probability and the share of positives."""

    low: float
    high: float
    num_cases: int
    mean_probability: float
    share_positive: float


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared difference of probability and outcome (Brier, 1950); NaN without cases."""
    label, probability = _checked(labels, probabilities)
    return float(np.square(probability - label).mean()) if len(label) else float("nan")


def calibration_curve(labels: ArrayLike, probabilities: ArrayLike, num_bins: int = 10) -> list[CalibrationBin]:
    """Return the bins of equal width that are not empty; the last bin includes probability 1."""
    label, probability = _checked(labels, probabilities)
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    place = np.minimum(np.digitize(probability, edges) - 1, num_bins - 1)
    curve = []
    for index in np.unique(place):
        inside = place == index
        means = float(probability[inside].mean()), float(label[inside].mean())
        curve.append(CalibrationBin(float(edges[index]), float(edges[index + 1]), int(inside.sum()), *means))
    return curve


def ece(labels: ArrayLike, probabilities: ArrayLike, num_bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width (Naeini et al., AAAI 2015); NaN without cases."""
    curve = calibration_curve(labels, probabilities, num_bins)
    total = sum(part.num_cases for part in curve)
    error = sum(part.num_cases * abs(part.mean_probability - part.share_positive) for part in curve)
    return error / total if total else float("nan")


def accuracy_f1(labels: ArrayLike, decisions: ArrayLike) -> tuple[float, float]:
    """Return accuracy and F1 of yes/no decisions; NaN accuracy without cases, F1 0 without any positive."""
    label, decision = np.asarray(labels, dtype=np.float64) == 1.0, np.asarray(decisions, dtype=bool)
    hit, positives = int((label & decision).sum()), int(label.sum()) + int(decision.sum())
    accuracy = float((label == decision).mean()) if len(label) else float("nan")
    return accuracy, 2.0 * hit / positives if positives else 0.0


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold (inclusive) with the highest F1; of several, the highest threshold.

    Raises:
        ValueError: no case.
    """
    label, score = np.asarray(labels, dtype=np.float64) == 1.0, np.asarray(scores, dtype=np.float64)
    if not len(score):
        raise ValueError("threshold: expected cases to choose it on, found none")
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    f1 = 2.0 * np.cumsum(label[order])[ends] / (ends + 1 + label.sum())
    return float(score[order][ends[int(np.argmax(f1))]])


def fit_logistic(labels: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Return intercept and slope of the logistic regression of labels on one value, by Newton's method.

    A ridge of 0.01 on the standardised slope keeps separable cases finite.
    """
    label, value = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    center, scale = float(value.mean()), float(value.std()) or 1.0
    intercept, slopes = fit_penalised(label, ((value - center) / scale)[:, None], strength=1e-2)
    slope = float(slopes[0]) / scale
    return intercept - slope * center, slope


def fit_shares(
    labels: ArrayLike, values: ArrayLike, *, prior: float, strength: float, intercept_strength: float = FREE
) -> tuple[float, FloatArray]:
    """Return intercept and slopes (K,) of the logistic regression of labels on values (N, K) with slopes of at least 0.

    Every slope has a Gaussian prior of mean `prior` and variance 1 / `strength`, so that few cases leave the slopes
    near the prior; the intercept has one of mean 0 and variance 1 / `intercept_strength`. A slope that comes out
    negative becomes 0, and the others are fitted again.
    """
    label, value = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    used = np.ones(value.shape[1], dtype=bool)
    while True:
        told = {"strength": strength, "prior": prior, "intercept_strength": intercept_strength}
        intercept, slopes = fit_penalised(label, value[:, used], **told)
        if (slopes >= 0).all():
            break
        used[np.flatnonzero(used)[np.argmin(slopes)]] = False
    every = np.zeros(len(used))
    every[used] = slopes
    return intercept, every


def fit_penalised(
    label: FloatArray,
    value: FloatArray,
    *,
    strength: float,
    prior: float = 0.0,
    intercept_strength: float = FREE,
    cases: ArrayLike | None = None,
) -> tuple[float, FloatArray]:
    """Return intercept and slopes (K,) of the logistic regression of labels (N,) on values (N, K), by Newton's method.

    Slopes have a Gaussian prior of mean `prior` and variance 1 / `strength` (a ridge, for a mean of 0); the intercept
    has one of mean 0 and variance 1 / `intercept_strength`. Labels may be shares between 0 and 1. `cases` (N,) says how
    many cases each row stands for: 1 by default.
    """
    number = np.ones(len(label)) if cases is None else np.asarray(cases, dtype=np.float64)
    design = np.concatenate([np.ones((len(value), 1)), value], axis=1)
    mean = np.array([0.0, *[prior] * value.shape[1]])
    ridge = np.diag([intercept_strength, *[strength] * value.shape[1]])

    def loss(weights: FloatArray) -> float:
        logits, moved = design @ weights, weights - mean
        return float((number * (np.logaddexp(0.0, logits) - label * logits)).sum() + 0.5 * moved @ ridge @ moved)

    weights = mean
    for _ in range(100):
        probability = logistic(design @ weights)
        curvature = design.T @ (design * (number * probability * (1.0 - probability))[:, None]) + ridge
        step = np.linalg.solve(curvature, design.T @ (number * (label - probability)) - ridge @ (weights - mean))
        # a full step of Newton's method can overshoot where all probabilities are near 0 or 1
        while loss(weights + step) > loss(weights) + 1e-12 and np.abs(step).max() > 1e-10:
            step = step / 2.0
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    return float(weights[0]), weights[1:]


def logistic(values: ArrayLike) -> FloatArray:
    """Return 1 / (1 + exp(-value))."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(values, dtype=np.float64)))


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[FloatArray, FloatArray]:
    label, probability = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if label.shape != probability.shape or not np.isin(label, (0.0, 1.0)).all():
        raise ValueError("expected one label, 0 or 1, a probability; found others")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("expected probabilities in [0, 1], found others")
    return label, probability
