"""Figures as plain data, ready for JSON."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lungpipe.evaluation.froc import FP_RATES

RATE_NAMES = tuple(f"{rate:g}" for rate in FP_RATES)
"""The official rates as keys: 0.125, 0.25, 0.5, 1, 2, 4, 8."""


def plain(value: Any) -> Any:
    """Return nested data for JSON: numpy scalars and arrays as numbers and lists, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
