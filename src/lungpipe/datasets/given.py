"""Candidates of a dataset, or of another study, for a scorer without a detector of its own."""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.datasets.annotations import DatasetError, read_candidates
from lungpipe.datasets.luna16 import check_known
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, read_table


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


def take_candidates(
    path: Path, series_uids: Collection[str], *, fold: int, trained_on: Collection[str] = ()
) -> pd.DataFrame:
    """Return the candidates (table CANDIDATES) of the same fold of another study.

    `series_uids` are the series that may have candidates there: the fold's test series, or the series that it learns
    from. A detector of another fold may have seen the test series. At least one of `trained_on` must have a candidate,
    if there are any: a study without a scorer keeps none of its training series.

    Raises:
        TableError: no such table, or a table that breaks its contract.
        DatasetError: candidates of another fold, of series that are not among `series_uids`, or of no training series.
    """
    candidates = read_table(path, CANDIDATES)
    if other := sorted(set(candidates["fold"]) - {fold}):
        raise DatasetError(f"{path}: expected candidates of fold {fold}, found some of fold {other[0]}")
    if unknown := sorted(set(candidates["series_uid"]) - set(series_uids)):
        expected = f"candidates of the {len(series_uids)} series of this part of fold {fold}"
        raise DatasetError(f"{path}: expected {expected}, found {len(unknown)} further series, first {unknown[0]}")
    if trained_on and not candidates["series_uid"].isin(trained_on).any():
        raise DatasetError(f"{path}: expected candidates of training series of fold {fold}, found none")
    return candidates


def require_candidates_of(study_dir: Path, folds: Iterable[int], *, has_detector: bool = False) -> None:
    """Raise DatasetError unless another study has candidates, and with `has_detector` a detector, of every fold."""
    needed = {"candidates.parquet": "candidates", "mined.parquet": "candidates"}
    needed |= {"detector.safetensors": "detector"} if has_detector else {}
    for fold in folds:
        for name, meaning in needed.items():
            path = study_dir / f"fold{fold}" / name
            if not path.is_file():
                expected = f"the {meaning} of study {study_dir.name!r} for candidates_of"
                raise DatasetError(f"{path}: expected {expected}, found no such file; run that study first")
