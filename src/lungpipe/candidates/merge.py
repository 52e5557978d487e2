"""Merge detections of the same thing, and keep the strongest of a scan."""

import numpy as np
import pandas as pd

from lungpipe.candidates.detections import Detections
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS


def merge_detections(detections: Detections, merge_distance_mm: float, max_per_scan: int) -> Detections:
    """Return the detections by falling score, without those near a stronger one.

    A detection is dropped if its centre is nearer to a stronger one than `merge_distance_mm` or the stronger one's
    radius. This is non-maximum suppression by distance: nodules are balls, so a centre inside a stronger ball is the
    same nodule.
    """
    # equal scores are ordered by place and size, so that the result does not depend on the order of the input
    z, y, x = detections.centers_zyx_mm.T
    ranked = detections.take(np.lexsort((detections.diameters_mm, x, y, z, -detections.scores)))
    kept: list[int] = []
    for row in range(len(ranked)):
        if len(kept) == max_per_scan:
            break
        distance = np.linalg.norm(ranked.centers_zyx_mm[kept] - ranked.centers_zyx_mm[row], axis=1)
        reach = np.maximum(merge_distance_mm, ranked.diameters_mm[kept] / 2.0)
        if not np.any(distance < reach):
            kept.append(row)
    return ranked.take(np.asarray(kept, dtype=np.intp))


def keep_all(detections: Detections) -> Detections:
    """Return the detections as they are: a merging that merges nothing."""
    return detections


def to_table(detections: Detections, series_uid: str, fold: int) -> pd.DataFrame:
    """Return the detections of one scan under the CANDIDATES contract, ranked ids in their given order."""
    if len(detections) == 0:
        return CANDIDATES.empty()
    columns = {
        "candidate_id": [f"{series_uid}#c{rank}" for rank in range(len(detections))],
        "series_uid": series_uid,
        **{name: detections.centers_zyx_mm[:, axis] for axis, name in enumerate(CENTER_COLUMNS)},
        "diameter_mm": detections.diameters_mm,
        "detector_score": detections.scores,
        "fold": fold,
    }
    return CANDIDATES.conform(pd.DataFrame(columns))
