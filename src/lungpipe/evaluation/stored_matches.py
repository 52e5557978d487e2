"""Matches from the table of an evaluation: other curves of the same marks without matching them again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lungpipe.evaluation.matching import Fate, Matches

_FATES = {fate.name.lower(): int(fate) for fate in Fate}


def read_matches(table: pd.DataFrame, series_uids: Sequence[str]) -> Matches:
    """Return the matches that a table of contract MATCHES was written from.

    `series_uids` are the evaluated scans in their order. Marks and nodules of other scans do not count.
    """
    listed = pd.Index(list(series_uids), dtype="str")
    marks, nodules = (table[table["kind"] == kind].sort_values("row") for kind in ("mark", "nodule"))
    mark_scan, nodule_scan = (
        listed.get_indexer(pd.Index(rows["series_uid"], dtype="str")).astype(np.int64) for rows in (marks, nodules)
    )
    fate = marks["fate"].map(_FATES).to_numpy(dtype=np.int64)
    is_in = nodule_scan >= 0
    return Matches(
        series_uids=tuple(listed),
        mark_scan=mark_scan,
        mark_probability=marks["probability"].to_numpy(dtype=np.float64),
        mark_fate=np.where(mark_scan >= 0, fate, int(Fate.UNKNOWN_SERIES)),
        mark_nodule=marks["partner_row"].to_numpy(dtype=np.int64),
        nodule_scan=nodule_scan,
        nodule_mark=np.where(is_in, nodules["partner_row"].to_numpy(dtype=np.int64), -1),
        nodule_num_marks=np.where(is_in, nodules["num_marks"].to_numpy(dtype=np.int64), 0),
        nodule_distance_mm=np.where(is_in, nodules["distance_mm"].to_numpy(dtype=np.float64), np.nan),
    )


def without_exclusions(matches: Matches) -> Matches:
    """Return the matches as if there were no list of excluded findings: marks on them are false positives."""
    is_on = matches.mark_fate == Fate.IGNORED_ON_EXCLUDED
    return replace(matches, mark_fate=np.where(is_on, int(Fate.FALSE_POSITIVE), matches.mark_fate))
