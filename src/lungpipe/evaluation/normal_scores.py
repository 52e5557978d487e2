"""Values to normal scores: each value becomes the normal quantile of its rank among the fitted cases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
NUM_KNOTS = 51
LEAST_SHARE = 0.005
"""The lowest and highest scores are the normal quantiles of this share and of its complement: about -2.6 and 2.6."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalScores:
    """Maps of K values to normal scores, fixed by knots (K, NUM_KNOTS): quantiles of the fitted cases.

    HU shares and volumes have long tails, on which a linear model of the plain values would spend its weights; ranks
    have none.
    """

    knots: FloatArray

    @classmethod
    def fit(cls, values: ArrayLike) -> "NormalScores":
        """Return the maps of cases (N, K)."""
        return cls(np.quantile(np.asarray(values, dtype=np.float64), np.linspace(0, 1, NUM_KNOTS), axis=0).T)

    def transform(self, values: ArrayLike) -> FloatArray:
        """Return the scores (N, K) of values (N, K). Equal fitted values share the middle of their ranks.

        Raises:
            ValueError: another number of columns.
        """
        from scipy.special import ndtri

        value = np.asarray(values, dtype=np.float64)
        if value.ndim != 2 or value.shape[1] != len(self.knots):
            raise ValueError(f"normal scores: expected values (N, {len(self.knots)}), found {value.shape}")
        shares = np.linspace(0, 1, self.knots.shape[1])
        ranks = np.empty_like(value)
        for column, knots in enumerate(self.knots):
            # from below and from above, so that a value that many cases have gets the middle of their ranks
            low = np.interp(value[:, column], knots, shares)
            high = 1.0 - np.interp(-value[:, column], -knots[::-1], shares)
            ranks[:, column] = (low + high) / 2.0
        return np.asarray(ndtri(np.clip(ranks, LEAST_SHARE, 1.0 - LEAST_SHARE)), dtype=np.float64)
