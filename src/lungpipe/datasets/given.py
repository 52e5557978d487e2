"""Candidates that a dataset gives, for a scorer without a detector."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.datasets.annotations import read_candidates
from lungpipe.datasets.luna16 import check_known
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS


def select_candidates(path: Path, series: pd.DataFrame, series_uids: Collection[str], *, fold: int) -> pd.DataFrame:
    """Return the given candidates (table CANDIDATES) of some series, without diameter and score.

    The table's class is not returned, since the class reveals which candidates are nodules. `series` is the table
    SERIES.

    Raises:
        DatasetError: no table, a wrong value in it, or a candidate of a series that `series` does not name.
    """
    given = read_candidates(path)
    check_known(path, given, dict(zip(series["series_uid"], series["subset"], strict=True)))
    own = given[given["series_uid"].isin(series_uids)].sort_values("series_uid", kind="stable", ignore_index=True)
    rank = own.groupby("series_uid").cumcount().astype(str)
    columns = {
        "candidate_id": own["series_uid"] + "#c" + rank,
        "series_uid": own["series_uid"],
        **{name: own[name] for name in CENTER_COLUMNS},
        "diameter_mm": np.nan,
        "detector_score": np.nan,
        "fold": fold,
    }
    return CANDIDATES.conform(pd.DataFrame(columns))
