"""The pools of points from which the windows of a batch are drawn, and the share of each pool."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.sampling.plan import FeedPlan

Rows = NDArray[np.int64]
HARD = "hard"
"""The kind of points at the network's own false positives."""


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Rows of the points table by pool, and how many of a batch are drawn from each.

    nodules: points inside nodules; `nodule_ends` are the upper ends of their shares of 1. whole: points of whole scans
    outside nodules, in a dataset that has crops too. hard: false positives of the network itself. rest: where all other
    windows are drawn.
    """

    nodules: Rows
    nodule_ends: NDArray[np.float64]
    whole: Rows
    hard: Rows
    rest: Rows
    num_nodules: int
    num_whole: int
    num_hard: int
    num_rest: int

    @classmethod
    def of(cls, points: pd.DataFrame, plan: FeedPlan) -> "Pools":
        """Return the pools of points (table POINTS).

        Raises:
            ValueError: a batch that needs points outside nodules, of which there are none.
        """
        is_nodule, is_crop = points["is_nodule"].to_numpy() == 1, points["is_crop"].to_numpy()
        nodules = np.flatnonzero(is_nodule)
        is_mixed = bool(is_crop.any() and not is_crop.all())
        whole = np.flatnonzero(~is_crop & ~is_nodule) if is_mixed else np.zeros(0, dtype=np.int64)
        hard = np.flatnonzero(points["kind"].to_numpy() == HARD)
        rest = np.arange(len(points)) if plan.rest == "all" else np.flatnonzero(~is_nodule)
        num_nodules = round(plan.nodule_fraction * plan.batch_size) if len(nodules) else 0
        free = plan.batch_size - num_nodules
        num_hard = min(round(plan.hard_fraction * plan.batch_size), free) if len(hard) else 0
        num_whole = min(round(plan.whole_scan_fraction * plan.batch_size), free - num_hard) if len(whole) else 0
        if not len(rest) and plan.nodule_fraction < 1:
            raise ValueError("feed: expected points outside nodules, found none")
        ends = _ends(points["diameter_mm"].to_numpy()[nodules], plan.small_nodule_power)
        return cls(nodules, ends, whole, hard, rest, num_nodules, num_whole, num_hard, free - num_hard - num_whole)

    def draw(self, rng: np.random.Generator) -> Rows:
        """Return the rows of a batch, shuffled, so that every part of the batch has nodules and other points.

        A pool without a share takes no random number: its absence changes no other draw.
        """
        chosen = np.searchsorted(self.nodule_ends, rng.random(self.num_nodules), side="right")
        parts = [self.nodules[chosen]]
        for pool, number in ((self.whole, self.num_whole), (self.hard, self.num_hard)):
            if number:
                parts.append(pool[rng.integers(0, len(pool), number)])
        parts.append(self.rest[rng.integers(0, len(self.rest), self.num_rest)])
        return rng.permutation(np.concatenate(parts))


def _ends(diameters_mm: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return the upper ends of the nodules' shares of 1, in proportion to diameter ** -power; 10 mm where unknown."""
    share = np.where(diameters_mm > 0, diameters_mm, 10.0) ** -power
    ends = np.cumsum(share) / share.sum() if len(share) else share
    # rounding must not leave the last end below 1
    ends[-1:] = 1.0
    return np.asarray(ends)
