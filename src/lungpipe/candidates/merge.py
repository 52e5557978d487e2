"""Merge lumps that are the same thing seen twice, and keep the strongest of a scan."""

import numpy as np
import pandas as pd

from lungpipe.candidates.group import Lumps
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS


def merge_lumps(lumps: Lumps, merge_distance_mm: float, max_per_scan: int) -> Lumps:
    """Return the lumps by falling score; one within `merge_distance_mm`, or the radius, of a stronger one is dropped.

    Non-maximum suppression by distance: nodules are balls, so a centre inside a stronger ball is the same nodule.
    """
    # equal scores are ordered by place and size, so that the result does not depend on the order of the input
    z, y, x = lumps.centers_zyx_mm.T
    ranked = lumps.take(np.lexsort((lumps.diameters_mm, x, y, z, -lumps.scores)))
    kept: list[int] = []
    for row in range(len(ranked)):
        if len(kept) == max_per_scan:
            break
        distance = np.linalg.norm(ranked.centers_zyx_mm[kept] - ranked.centers_zyx_mm[row], axis=1)
        reach = np.maximum(merge_distance_mm, ranked.diameters_mm[kept] / 2.0)
        if not np.any(distance < reach):
            kept.append(row)
    return ranked.take(np.asarray(kept, dtype=np.intp))


def to_table(lumps: Lumps, series_uid: str, fold: int) -> pd.DataFrame:
    """Return the lumps of one scan under the CANDIDATES contract, ranked ids in their given order."""
    if len(lumps) == 0:
        return CANDIDATES.empty()
    columns = {
        "candidate_id": [f"{series_uid}#c{rank}" for rank in range(len(lumps))],
        "series_uid": series_uid,
        **{name: lumps.centers_zyx_mm[:, axis] for axis, name in enumerate(CENTER_COLUMNS)},
        "diameter_mm": lumps.diameters_mm,
        "segmenter_score": lumps.scores,
        "fold": fold,
    }
    return CANDIDATES.conform(pd.DataFrame(columns))
