"""Intervals of proportions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054
"""Standard normal deviate of a two-sided 95 % interval."""


def wilson(share: ArrayLike, count: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper bound of the 95 % score interval (Wilson, JASA 1927) of shares of `count` cases each.

    NaN where there is no case.
    """
    p, n = np.asarray(share, dtype=np.float64), np.asarray(count, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        reach = Z95 * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    return np.clip(middle - reach, 0.0, 1.0), np.clip(middle + reach, 0.0, 1.0)
