"""Detections of whole series as one table, and which series a model may search."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.candidates import to_table
from lungpipe.candidates.mask_table import join_mask_tables, to_mask_table
from lungpipe.inference.detector import Detector
from lungpipe.models.card import ModelCard, digest_of
from lungpipe.tables import CANDIDATES
from lungpipe.terms import counted
from lungpipe.volumes.store import open_volume

NO_FOLD = -1
"""The fold of candidates of a detector that was trained on all series."""

OnDone = Callable[[str], None]
"""Called with one line per finished series."""


def detect_series(
    detector: Detector, stores: Mapping[str, Path], *, fold: int, margin_mm: float, on_done: OnDone
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the candidates of series that the detector never saw, and their masks.

    The tables have the contracts CANDIDATES and CANDIDATE_MASKS; the latter is empty for a detector without masks.

    Raises:
        LeakError: the detector is another fold's, or was trained or validated on one of the series.
    """
    detector.card.expect_fold(fold)
    detector.card.refuse_seen(stores)
    tables, masks = [], []
    for series_uid, path in sorted(stores.items()):
        volume = open_volume(path, series_uid)
        found = detector.detect(volume, margin_mm=margin_mm)
        tables.append(to_table(found, series_uid, fold))
        masks.append(to_mask_table(tables[-1], found.mask_crops, volume.grid))
        on_done(f"{series_uid}: {counted(len(found), 'candidate')}")
    return join_candidates(tables), join_mask_tables(masks)


def mine_series(
    detector: Detector, stores: Mapping[str, Path], *, fold: int | None, margin_mm: float, on_done: OnDone
) -> pd.DataFrame:
    """Return the candidates of the series that the detector was trained or validated on; a scorer learns from them.

    Other series are skipped: scans of the learning subsets that the split left out. `fold` is None for a detector of
    all series, whose candidates have the fold NO_FOLD.

    Raises:
        LeakError: the detector is another fold's.
    """
    detector.card.expect_fold(fold)
    card = detector.card
    seen = only_series(stores, (*card.training_series, *card.validation_series))
    number = NO_FOLD if fold is None else fold
    return _detect_all(detector, seen, fold=number, margin_mm=margin_mm, on_done=on_done)


def join_candidates(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return all rows of several tables of candidates (CANDIDATES contract).

    Raises:
        ContractError: a candidate in two tables, as of a series that two folds test.
    """
    filled = [table for table in tables if len(table)]
    return CANDIDATES.conform(pd.concat(filled, ignore_index=True)) if filled else CANDIDATES.empty()


def validation_candidates(card: ModelCard, candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates of the series that chose the model's weights: thresholds may be chosen on them."""
    validation = set(card.validation_series)
    is_chosen_on = [digest_of(series_uid) in validation for series_uid in candidates["series_uid"]]
    # as an array: an empty list would select no columns instead of no rows
    return candidates[np.array(is_chosen_on, dtype=bool)].reset_index(drop=True)


def only_series(stores: Mapping[str, Path], digests: tuple[str, ...]) -> dict[str, Path]:
    """Return the stores of the series with these digests."""
    known = set(digests)
    return {series_uid: path for series_uid, path in stores.items() if digest_of(series_uid) in known}


def _detect_all(
    detector: Detector, stores: Mapping[str, Path], *, fold: int, margin_mm: float, on_done: OnDone
) -> pd.DataFrame:
    tables = []
    for series_uid, path in sorted(stores.items()):
        found = detector.detect(open_volume(path, series_uid), margin_mm=margin_mm)
        tables.append(to_table(found, series_uid, fold))
        on_done(f"{series_uid}: {counted(len(found), 'candidate')}")
    return join_candidates(tables)
