"""Score the candidates of whole series."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lungpipe.candidates.odds import clipped_logit
from lungpipe.geometry import Grid
from lungpipe.inference.scorer import LEAST_PROBABLE, Sample, Scorer
from lungpipe.models.card import NODULE_DETECTOR, NODULE_INTERCEPT, NODULE_SCORER, ModelCard
from lungpipe.tables import CENTER_COLUMNS, SCORED
from lungpipe.volumes.store import open_volume

MAX_OUTSIDE_MM = 20.0
"""How far beyond the outermost voxels a detected centre may lie: a coarse voxel's centre plus its offset."""


def score_candidates(
    scorer: Scorer, stores: Mapping[str, Path], candidates: pd.DataFrame, *, fold: int
) -> pd.DataFrame:
    """Return the candidates with `probability` and `malignancy` (SCORED contract).

    With `has_detector_odds` the probability is made of the scores of detector and scorer, which see different fields
    of view and make different errors (see `with_detector_odds`). Nothing is fitted here, so nothing can be fitted on
    the test subset.

    Raises:
        LeakError: the scorer belongs to another fold.
        ValueError: a detected candidate outside its volume.
        KeyError: a candidate of a series without a store.
    """
    scorer.card.expect_fold(fold)
    ordered = candidates.reset_index(drop=True)
    rows = ordered.groupby("series_uid").indices
    # patches are read series by series; the table keeps its order
    places = np.concatenate([np.zeros(0, dtype=np.intp), *rows.values()])
    scores = scorer.score_samples(_samples(scorer, stores, ordered, rows), least_measured=LEAST_PROBABLE)
    logits, malignancy = np.empty(len(ordered)), np.empty(len(ordered))
    logits[places], malignancy[places] = scores.nodule_logits, scores.malignancy
    if scorer.inference.has_detector_odds:
        logits = with_detector_odds(scorer.card, logits, ordered["detector_score"].to_numpy(dtype=np.float64))
    return SCORED.conform(ordered.assign(probability=torch.from_numpy(logits).sigmoid().numpy(), malignancy=malignancy))


def with_detector_odds(
    card: ModelCard, nodule_logits: NDArray[np.float64], detector_scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return logits (N,) of detector and scorer together; the scorer's own where the detector has no score (NaN).

    The card of a scorer says how much each of the two counts, as calibrated on its validation series. Without a
    calibration the result is the geometric mean of the odds.
    """
    intercept, detector, scorer = (
        card.figures.get(name, default)
        for name, default in ((NODULE_INTERCEPT, 0.0), (NODULE_DETECTOR, 0.5), (NODULE_SCORER, 0.5))
    )
    combined = intercept + detector * clipped_logit(detector_scores) + scorer * nodule_logits
    return np.where(np.isnan(detector_scores), nodule_logits, combined)


def _samples(
    scorer: Scorer, stores: Mapping[str, Path], candidates: pd.DataFrame, rows: Mapping[str, NDArray[np.intp]]
) -> Iterator[Sample]:
    centers = candidates[list(CENTER_COLUMNS)].to_numpy()
    diameters = candidates["diameter_mm"].to_numpy(dtype=np.float64)
    for series_uid, places in rows.items():
        volume = open_volume(stores[series_uid], series_uid)
        _refuse_outside(candidates.iloc[places], centers[places], volume.grid)
        yield from scorer.cut(volume, centers[places], diameters[places])


def _refuse_outside(candidates: pd.DataFrame, centers_zyx_mm: NDArray[np.float64], grid: Grid) -> None:
    """Raise ValueError for a detected candidate far outside its volume; given candidates may lie anywhere."""
    low, high = (grid.to_world(corner) for corner in ((0, 0, 0), np.asarray(grid.shape_zyx) - 1))
    is_outside = ((centers_zyx_mm < low - MAX_OUTSIDE_MM) | (centers_zyx_mm > high + MAX_OUTSIDE_MM)).any(axis=1)
    is_wrong = is_outside & candidates["detector_score"].notna().to_numpy()
    if is_wrong.any():
        place = int(np.argmax(is_wrong))
        name, found = candidates["candidate_id"].iloc[place], centers_zyx_mm[place].tolist()
        limits = f"{np.round(low, 1).tolist()} to {np.round(high, 1).tolist()}"
        raise ValueError(f"candidate {name}: expected a centre (zyx, mm) in its volume, {limits}, found {found}")
