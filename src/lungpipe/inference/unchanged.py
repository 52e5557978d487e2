"""Scores of a recipe without a scorer; imports no torch."""

import numpy as np
import pandas as pd

from lungpipe.tables import SCORED


def keep_scores(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with the detector's score as `probability`, and no malignancy (SCORED contract)."""
    return SCORED.conform(candidates.assign(probability=candidates["detector_score"], malignancy=np.nan))
