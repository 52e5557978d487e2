"""Label candidates by the hit rule of the evaluation: nodule, excluded finding, or neither."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.geometry import hits
from lungpipe.tables import CENTER_COLUMNS


@dataclass(frozen=True, slots=True)
class CandidateLabels:
    """For each candidate: row of the nodule hit (-1: none), and whether the candidate is ignored."""

    nodule_row: NDArray[np.int64]
    is_ignored: NDArray[np.bool_]

    @property
    def is_nodule(self) -> NDArray[np.bool_]:
        """Candidates inside an annotated nodule."""
        return self.nodule_row >= 0

    @property
    def is_negative(self) -> NDArray[np.bool_]:
        """Candidates inside no annotated nodule and no excluded finding."""
        return ~self.is_nodule & ~self.is_ignored


def label_candidates(candidates: pd.DataFrame, nodules: pd.DataFrame, exclusions: pd.DataFrame) -> CandidateLabels:
    """Label each candidate against the findings of its own series; inside several nodules, the nearest counts.

    `nodule_row` counts rows of `nodules` by position. Candidates on an excluded finding but on no nodule are ignored:
    readers disagreed about these findings, so they are used for neither class.
    """
    nodule_row = np.full(len(candidates), -1, dtype=np.int64)
    is_ignored = np.zeros(len(candidates), dtype=bool)
    nodule_rows = nodules.reset_index(drop=True).groupby("series_uid").indices
    exclusion_rows = exclusions.reset_index(drop=True).groupby("series_uid").indices
    for series_uid, rows in candidates.reset_index(drop=True).groupby("series_uid").indices.items():
        points = candidates[list(CENTER_COLUMNS)].to_numpy()[rows]
        own = nodule_rows.get(series_uid, np.zeros(0, dtype=np.intp))
        if len(own):
            centers = nodules[list(CENTER_COLUMNS)].to_numpy()[own]
            distance = np.linalg.norm(points[:, None] - centers[None], axis=-1)
            distance[~hits(points, centers, nodules["diameter_mm"].to_numpy()[own])] = np.inf
            nearest = distance.argmin(axis=1)
            nodule_row[rows] = np.where(np.isfinite(distance.min(axis=1)), own[nearest], -1)
        excluded = exclusion_rows.get(series_uid, np.zeros(0, dtype=np.intp))
        if len(excluded):
            centers = exclusions[list(CENTER_COLUMNS)].to_numpy()[excluded]
            inside = hits(points, centers, exclusions["diameter_mm"].to_numpy()[excluded]).any(axis=1)
            is_ignored[rows] = inside & (nodule_row[rows] < 0)
    return CandidateLabels(nodule_row, is_ignored)
