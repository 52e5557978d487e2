"""The FROC curve, the sensitivities at the official false positive rates, and their mean, the CPM."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.evaluation.matching import Fate, Matches

FloatArray = NDArray[np.float64]

FP_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per scan at which the CPM averages the sensitivity (Niemeijer et al., IEEE TMI 2011)."""
RATE_NAMES = tuple(f"{rate:g}" for rate in FP_RATES)
"""The official rates as keys: 0.125, 0.25, 0.5, 1, 2, 4, 8."""


@dataclass(frozen=True, slots=True)
class Froc:
    """The curve: the point (0, 0), then one point per distinct probability, from the highest down.

    `fp_per_scan` divides by all listed scans, `sensitivity` by all nodules (NaN where there are none); `threshold`
    is the lowest probability that counts at a point (infinity at (0, 0)).
    """

    fp_per_scan: FloatArray
    sensitivity: FloatArray
    threshold: FloatArray


@dataclass(frozen=True, slots=True)
class Events:
    """Hits of nodules and false positives by falling probability; equal probabilities form one step."""

    scan: NDArray[np.int64]
    is_hit: NDArray[np.bool_]
    probability: FloatArray
    step_ends: NDArray[np.int64]
    """index of the last event of every step"""


def ranked_events(matches: Matches) -> Events:
    """Return the events of the curve: every hit nodule with the probability of its mark, and every false positive."""
    false_positives = np.flatnonzero(matches.mark_fate == Fate.FALSE_POSITIVE)
    nodules = np.flatnonzero(matches.nodule_mark >= 0)
    probability = matches.mark_probability[np.concatenate([false_positives, matches.nodule_mark[nodules]])]
    scan = np.concatenate([matches.mark_scan[false_positives], matches.nodule_scan[nodules]])
    is_hit = np.arange(len(scan)) >= len(false_positives)
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    step_ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    return Events(scan[order], is_hit[order], ranked, step_ends)


def froc_curve(matches: Matches) -> Froc:
    """Return the FROC curve of a matching."""
    events = ranked_events(matches)
    false_positives = np.cumsum(~events.is_hit)[events.step_ends]
    found = np.cumsum(events.is_hit)[events.step_ends]
    with np.errstate(invalid="ignore"):
        sensitivity = np.concatenate([[0], found]) / np.float64(matches.num_nodules)
    return Froc(
        fp_per_scan=np.concatenate([[0], false_positives]) / matches.num_scans,
        sensitivity=sensitivity,
        threshold=np.concatenate([[np.inf], events.probability[events.step_ends]]),
    )


def sensitivity_at(froc: Froc, rates: ArrayLike = FP_RATES) -> FloatArray:
    """Return the sensitivity at each number of false positives per scan; beyond the curve's end, the last one."""
    return interpolate(froc.fp_per_scan, froc.sensitivity, np.asarray(rates, dtype=np.float64))


def cpm(froc: Froc) -> float:
    """Return the competition performance metric: the mean sensitivity at the seven official rates."""
    return float(sensitivity_at(froc).mean())


def interpolate(x: FloatArray, y: FloatArray, targets: FloatArray) -> FloatArray:
    """Return y at `targets` on the polyline through (x, y), x rising or level; on a vertical piece, its upper end.

    Beyond the last x the result is the last y.
    """
    left = np.searchsorted(x, targets, side="right") - 1
    right = np.minimum(left + 1, len(x) - 1)
    gap = x[right] - x[left]
    share = np.where(gap > 0, (targets - x[left]) / np.where(gap > 0, gap, 1), 0.0)
    return y[left] + share * (y[right] - y[left])
