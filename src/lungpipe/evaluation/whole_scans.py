"""Whole scans beside a dataset of crops: hits and false positives of each, apart from the FROC curve of the crops.

A crop's false positives count per cube of 50 mm and a whole scan's per pair of lungs, so one curve over both has no
meaning. Each scan is evaluated by the fold that tests its subset, whose networks never saw the scan.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.evaluation.before_scorer import marks_before
from lungpipe.evaluation.matching import Fate, Matches, match
from lungpipe.evaluation.study_tables import StudyTables

COUNTED_PROBABILITY = 0.5
"""Marks from this probability on count as found by the model itself, without a choice of threshold."""
FP_COUNTS = (0, 1, 2, 4, 8)
"""Numbers of false positives in a scan at which hits are counted."""


def whole_scan_table(tables: StudyTables, series_uids: Sequence[str], folds: Sequence[int]) -> pd.DataFrame:
    """Return a row per whole scan whose subset is that of a fold, by subset and series; no rows without such scans.

    Columns: series_uid, patient_id, fold, num_nodules, num_hits (by any mark), num_hits_probable and
    num_false_positives_probable (marks of probability >= 0.5), hits_at_<n>_fp (nodules whose mark is above all but n
    false positives), and the same by the detector's score alone: before_scorer_hits_at_<n>_fp, missing where the study
    has no such scores.
    """
    is_asked = tables.series["series_uid"].isin(list(series_uids)) & tables.series["subset"].isin(list(folds))
    asked = tables.series[is_asked].sort_values(["subset", "series_uid"])
    rows = [_row(tables, series) for series in asked.itertuples()]
    return pd.DataFrame(rows, columns=_COLUMNS).astype({_BEFORE + name: "Int64" for name in _AT_COUNTS})


def whole_scan_figures(table: pd.DataFrame) -> dict[str, float]:
    """Return the sums over all scans of a `whole_scan_table` for tracking; nothing without scans."""
    if table.empty:
        return {}
    numbers = table.drop(columns=["series_uid", "patient_id", "fold"]).dropna(axis=1).sum()
    return {"whole_num_scans": float(len(table))} | {f"whole_{name}": float(value) for name, value in numbers.items()}


_COUNTS = ("num_nodules", "num_hits", "num_hits_probable", "num_false_positives_probable")
_AT_COUNTS = [f"hits_at_{count}_fp" for count in FP_COUNTS]
_BEFORE = "before_scorer_"
_COLUMNS = ["series_uid", "patient_id", "fold", *_COUNTS, *_AT_COUNTS, *(_BEFORE + name for name in _AT_COUNTS)]


def _row(tables: StudyTables, series: object) -> dict[str, str | int | None]:
    uid, patient, fold = (getattr(series, name) for name in ("series_uid", "patient_id", "subset"))
    nodules, exclusions = (t[t["series_uid"] == uid] for t in (tables.nodules, tables.exclusions))
    marks = tables.scored[(tables.scored["series_uid"] == uid) & (tables.scored["fold"] == fold)]
    before = marks_before(marks)
    alone = {} if before is None else count_hits(match(before, nodules, exclusions, [uid]))
    return (
        {"series_uid": uid, "patient_id": patient, "fold": fold}
        | count_hits(match(marks, nodules, exclusions, [uid]))
        | {_BEFORE + name: alone.get(name) for name in _AT_COUNTS}
    )


def count_hits(matches: Matches) -> dict[str, int]:
    """Return the counts of one scan (see `whole_scan_table`).

    Of equal probabilities a false positive is above a hit.
    """
    false_positives = np.sort(matches.mark_probability[matches.mark_fate == Fate.FALSE_POSITIVE])[::-1]
    hits = matches.mark_probability[matches.nodule_mark[matches.nodule_mark >= 0]]
    # how many false positives are at or above each hit
    above = (false_positives[None] >= hits[:, None]).sum(axis=1)
    counts = (
        matches.num_nodules,
        len(hits),
        int((hits >= COUNTED_PROBABILITY).sum()),
        int((false_positives >= COUNTED_PROBABILITY).sum()),
    )
    at_counts = {f"hits_at_{count}_fp": int((above <= count).sum()) for count in FP_COUNTS}
    return dict(zip(_COUNTS, counts, strict=True)) | at_counts


def read_whole_scans(path: Path) -> pd.DataFrame:
    """Read a `whole_scan_table` from its CSV file."""
    return pd.read_csv(path, dtype={"series_uid": "str", "patient_id": "str"})
