"""Bootstrap intervals over scans: marks and nodules of one scan depend on each other, so whole scans are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.froc import FP_RATES, Events, interpolate, ranked_events
from lungpipe.evaluation.matching import Matches

FloatArray = NDArray[np.float64]


def bootstrap_froc(
    matches: Matches,
    num_bootstraps: int,
    rng: np.random.Generator,
    rates: ArrayLike = FP_RATES,
    *,
    on_sample: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return the sensitivity (samples, rates) of samples of as many scans as are listed, drawn with replacement.

    A sample without any nodule is a row of NaN. For the same list of scans, generators of the same seed draw the same
    samples. `on_sample` is called after each sample with the number of samples done and of all.
    """
    events, rates = ranked_events(matches), np.asarray(rates, dtype=np.float64)
    packed = _PackedSteps.of(events)
    nodules = np.bincount(matches.nodule_scan[matches.nodule_scan >= 0], minlength=matches.num_scans)
    sensitivity = np.empty((num_bootstraps, len(rates)))
    for row in range(num_bootstraps):
        weight = np.bincount(rng.integers(0, matches.num_scans, matches.num_scans), minlength=matches.num_scans)
        num_nodules = int(nodules @ weight)
        found = packed.found_at(weight, rates * matches.num_scans)
        sensitivity[row] = found / num_nodules if num_nodules else np.nan
        if on_sample is not None:
            on_sample(row + 1, num_bootstraps)
    return sensitivity


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figure of b minus figure of a on the same scans, its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p_value: float


def interval(samples: FloatArray, level: float = 0.95) -> FloatArray:
    """Return the percentile interval (2, ...) over axis 0; NaN if all samples are NaN."""
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


@dataclass(frozen=True, slots=True)
class _PackedSteps:
    """The events of a FROC curve; one running sum counts hits (low digits) and false positives (high digits)."""

    scan: NDArray[np.int64]
    unit: NDArray[np.int64]
    step_ends: NDArray[np.int64]

    @classmethod
    def of(cls, events: Events) -> "_PackedSteps":
        return cls(events.scan, np.where(events.is_hit, 1, 1 << 32), events.step_ends)

    def found_at(self, weight: NDArray[np.int64], targets: FloatArray) -> FloatArray:
        """Return the (interpolated) nodules found at numbers of false positives, each scan counted by its weight."""
        running = np.cumsum(weight[self.scan] * self.unit)[self.step_ends]
        # only the steps on both sides of every target are unpacked
        right = np.searchsorted(running, (np.floor(targets).astype(np.int64) + 1) << 32)
        around = np.unique(np.concatenate([right - 1, right]))
        near = np.concatenate([[0], running])[np.clip(around + 1, 0, len(running))]
        return interpolate((near >> 32).astype(np.float64), (near & 0xFFFFFFFF).astype(np.float64), targets)
