"""Find the regular positions behind slice positions that were rounded to few decimals."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MAX_DECIMALS = 2
"""Positions with more decimals are not treated as rounded."""
MAX_COSINE_DECIMALS = 6
"""Direction cosines with more decimals are not treated as rounded."""
SINGLE_PRECISION = 2.0**-23
"""Relative error of a number that was kept in single precision."""


def rounding_error(numbers: Iterable[object], max_decimals: int = MAX_DECIMALS) -> float:
    """Return by how much numbers may be rounded: half a unit of their last decimal.

    Zeros behind the last decimal and the error of single precision (0.60000002) do not count as decimals. 0 if a number
    has more than `max_decimals`, if all are whole (they may be exact), or if one is no number.
    """
    try:
        values = np.array([float(number) for number in numbers])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    if not np.isfinite(values).all():
        return 0.0
    single = np.maximum(np.abs(values) * SINGLE_PRECISION, 1e-9)
    for decimals in range(max_decimals + 1):
        if (np.abs(values - np.round(values, decimals)) <= single).all():
            return 0.5 * 10.0**-decimals + float(single.max()) if decimals else 0.0
    return 0.0


def fit_steps(values: NDArray[np.float64], reach: float) -> tuple[float, float] | None:
    """Return first term and step of a regular series with all terms within `reach` of `values`; else None.

    Of all possible steps the one with the fewest decimals is used, since spacings are round numbers.
    """
    reach *= 1 + 1e-6  # halves are rounded up or down
    index = np.arange(len(values))
    start, end = np.triu_indices(len(values), 1)
    # both ends of each pair may be off by `reach`; if all pairs allow a step, a first term exists, too
    advance, steps = values[end] - values[start], index[end] - index[start]
    low, high = ((advance - 2 * reach) / steps).max(), ((advance + 2 * reach) / steps).min()
    if low > high:
        return None
    middle = float(low + high) / 2
    rounded = (round(middle, decimals) for decimals in range(12))
    step = next((number for number in rounded if low <= number <= high), middle)
    residual = values - index * step
    return float(residual.max() + residual.min()) / 2, step
