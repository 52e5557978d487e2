"""Logits of a detector's scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIMITS = (1e-6, 1.0 - 1e-6)
"""Scores are clipped to these limits: a score of 0 or 1 has no odds."""


def clipped_logit(scores: ArrayLike) -> NDArray[np.float64]:
    """Return log(score / (1 - score)) of scores (N,) from 0 to 1; NaN stays NaN."""
    clipped = np.clip(np.asarray(scores, dtype=np.float64), *LIMITS)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
