"""What bootstrap samples say: an interval, and whether two figures differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figure of b minus figure of a on the same scans, its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p_value: float


def interval(samples: FloatArray, level: float = 0.95) -> FloatArray:
    """Return the percentile interval (2, ...) over the first axis; NaN where every sample is."""
    tail = 50.0 * (1.0 - level)
    is_defined = ~np.isnan(samples).all(axis=0)
    # NaN columns would only raise numpy's own warning
    bounds = np.nanpercentile(np.where(is_defined, samples, 0.0), [tail, 100.0 - tail], axis=0)
    return np.where(is_defined, bounds, np.nan)


def compare(samples_a: FloatArray, samples_b: FloatArray, difference: float) -> Comparison:
    """Return the paired comparison of two figures from samples (samples,) of the same draws of scans.

    The p is twice the smaller share of samples on one side of zero, counted with the observed one (Davison & Hinkley,
    Bootstrap Methods and their Application, 1997, 4.2).
    """
    differences = samples_b - samples_a
    differences = differences[~np.isnan(differences)]
    low, high = interval(differences) if len(differences) else (np.nan, np.nan)
    side = 1 + min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return Comparison(difference, float(low), float(high), min(1.0, 2.0 * side / (len(differences) + 1)))
