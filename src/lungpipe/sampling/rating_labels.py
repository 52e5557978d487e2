"""The readers' ratings of the nodule around each point, as distributions to learn."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.tables import CHARACTERISTICS, MAX_RATING, RATING_COLUMNS, parse_ratings

NUM_READERS = 4
"""Readers of a scan of LIDC-IDRI."""


def rating_labels(points: pd.DataFrame, ratings: pd.DataFrame) -> NDArray[np.float32]:
    """Return (N, 9, 6) float32: for each point (table POINTS) the share of readers who gave each rating 1 to 6.

    The characteristics are in the order of CHARACTERISTICS. NaN where the nodule's characteristic is unrated, and
    outside nodules. `ratings` is the table RATINGS.
    """
    shares = np.full((len(ratings) + 1, len(CHARACTERISTICS), MAX_RATING), np.nan, dtype=np.float32)
    for place, column in enumerate(RATING_COLUMNS.values()):
        for row, text in enumerate(ratings[column]):
            if isinstance(text, str):
                counts = np.bincount(parse_ratings(text), minlength=MAX_RATING + 1)[1:]
                shares[row, place] = counts / counts.sum()
    # points outside nodules, and nodules without a row, take the last row
    row_of = pd.Series(np.arange(len(ratings)), ratings["nodule_id"].to_numpy(dtype=object))
    rows = row_of.reindex(points["nodule_id"].to_numpy(dtype=object)).fillna(len(ratings)).to_numpy(dtype=np.intp)
    return shares[rows]


def reader_weights(points: pd.DataFrame, ratings: pd.DataFrame) -> NDArray[np.float64]:
    """Return each point's weight (N,) times the share of the four readers who rated the malignancy of its nodule.

    Points outside nodules, and on nodules without ratings, keep their weight.
    """
    texts = ratings.set_index("nodule_id")[RATING_COLUMNS["malignancy"]].dropna()
    counts = texts.map(lambda text: len(parse_ratings(text))).clip(upper=NUM_READERS)
    shares = (counts / NUM_READERS).reindex(points["nodule_id"].to_numpy(dtype=object)).fillna(1.0)
    return points["weight"].to_numpy(dtype=np.float64) * shares.to_numpy(dtype=np.float64)
