"""Merge detections of the same thing, and keep the strongest of a scan."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates.detections import Detections
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS


def merge_detections(
    detections: Detections, merge_distance_mm: float, max_per_scan: int, merge_overlap: float | None = None
) -> Detections:
    """Return the detections by falling score, without those near a stronger one.

    A detection is dropped if its centre is nearer to a stronger one than `merge_distance_mm` or the stronger one's
    radius. This is non-maximum suppression by distance: nodules are balls, so a centre inside a stronger ball is the
    same nodule. With `merge_overlap`, it is also dropped if its box and that of a stronger one overlap by at least that
    much (see `overlaps`): volumetric non-maximum suppression, as of boxes in images.
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
        is_same = np.any(distance < reach)
        if merge_overlap is not None and not is_same:
            is_same = np.any(overlaps(ranked, np.asarray(kept, dtype=np.intp), row) >= merge_overlap)
        if not is_same:
            kept.append(row)
    return ranked.take(np.asarray(kept, dtype=np.intp))


def overlaps(detections: Detections, rows: NDArray[np.intp], row: int) -> NDArray[np.float64]:
    """Return intersection over union of the box of detection `row` with those of `rows`; NaN for unknown diameters.

    The box of a detection is the cube around its ball, its sides along the axes of the world.
    """
    center, diameter = detections.centers_zyx_mm[row], detections.diameters_mm[row]
    others = detections.diameters_mm[rows]
    apart = np.abs(detections.centers_zyx_mm[rows] - center)
    # the overlap of two intervals is at most the shorter one
    shared = np.minimum((others[:, None] + diameter) / 2.0 - apart, np.minimum(others, diameter)[:, None])
    common = np.clip(shared, 0.0, None).prod(axis=1)
    return np.asarray(common / (others**3 + diameter**3 - common), dtype=np.float64)


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
