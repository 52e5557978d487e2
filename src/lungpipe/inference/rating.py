"""Rate annotated nodules with the scorer of a fold that never saw their patients."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.inference.scorer import Scorer
from lungpipe.tables import CENTER_COLUMNS, CHARACTERISTICS, RATED
from lungpipe.volumes.store import open_volume

HIGH_RATINGS = slice(3, 5)
"""Ratings 4 and 5, in a distribution over the ratings 1 to 6."""


def rate_nodules(scorer: Scorer, stores: Mapping[str, Path], nodules: pd.DataFrame, *, fold: int) -> pd.DataFrame:
    """Return the ratings (table RATED) of the nodules of these series that are inside their volumes.

    The scorer looks at the annotated centre, and gets the annotated diameter. `nodules` is the table NODULES, and may
    hold other series too.

    Raises:
        LeakError: the scorer is another fold's, or was trained or validated on one of the series.
    """
    scorer.card.expect_fold(fold)
    scorer.card.refuse_seen(stores)
    tables = [RATED.empty()]
    for series_uid, path in stores.items():
        volume = open_volume(path, series_uid)
        own = nodules[nodules["series_uid"] == series_uid]
        own = own[volume.grid.contains(own[list(CENTER_COLUMNS)].to_numpy())]
        if not len(own):
            continue
        scores = scorer.score(volume, own[list(CENTER_COLUMNS)].to_numpy(), own["diameter_mm"].to_numpy())
        columns = {"nodule_id": own["nodule_id"].to_numpy(), "fold": fold, "malignancy": scores.malignancy}
        expected, high = np.full((len(own), len(CHARACTERISTICS)), np.nan), np.full(len(own), np.nan)
        if scores.ratings is not None and scores.expected_ratings is not None:
            # sums of rounded probabilities may pass their bounds by a rounding error
            expected = scores.expected_ratings.clip(1, [*CHARACTERISTICS.values()])
            high = scores.ratings[:, 0, HIGH_RATINGS].sum(axis=1).clip(0, 1)
        columns |= {"high_malignancy": high, "measured_logit": scores.measured_logits}
        columns |= {f"{name}_expected": expected[:, place] for place, name in enumerate(CHARACTERISTICS)}
        tables.append(RATED.conform(pd.DataFrame(columns)))
    filled = [table for table in tables if len(table)] or tables
    return RATED.conform(pd.concat(filled, ignore_index=True))
