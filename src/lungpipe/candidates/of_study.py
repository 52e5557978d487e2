"""Candidates of another study, for a scorer without a detector of its own."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from lungpipe.candidates.of_fold import read_fold_candidates
from lungpipe.datasets.annotations import DatasetError


def take_candidates(
    path: Path, series_uids: Collection[str], *, fold: int, trained_on: Collection[str] = ()
) -> pd.DataFrame:
    """Return the candidates (table CANDIDATES) of the same fold of another study.

    `series_uids` are the series that may have candidates there: the fold's test series, or the series that it learns
    from. A detector of another fold may have seen the test series. At least one of `trained_on` must have a candidate,
    if there are any: a study without a scorer keeps none of its training series.

    Raises:
        ContractError: no table of candidates, or candidates of another fold.
        DatasetError: candidates of series that are not among `series_uids`, or of no training series.
        OSError: no such file.
    """
    candidates = read_fold_candidates(path, fold)
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
