"""The table of whole scans beside a dataset of crops, without identifiers."""

from typing import Any

import pandas as pd

from lungpipe.evaluation.whole_scans import COUNTED_PROBABILITY, FP_COUNTS
from lungpipe.reporting.page_tables import Table
from lungpipe.terms import counted


def whole_scans_table(scans: pd.DataFrame) -> Table | None:
    """Return a row per scan of whole_scans.csv, numbered from 1; None without whole scans."""
    if scans.empty:
        return None
    p = f"p {COUNTED_PROBABILITY:g}"
    at_counts = [f"Found at {counted(count, 'false positive')}" for count in FP_COUNTS]
    headings = ("Scan", "Fold", "Nodules", "Found", f"Found from {p}", f"False positives from {p}", *at_counts)
    names = ["fold", "num_nodules", "num_hits", "num_hits_probable", "num_false_positives_probable"]
    rows = tuple(
        (str(place), *(str(int(row[name])) for name in names), *(_at(row, count) for count in FP_COUNTS))
        for place, row in enumerate(scans.to_dict("records"), start=1)
    )
    return Table(f"Whole scans beside the crops (n = {len(rows)})", headings, rows)


def _at(row: dict[str, Any], count: int) -> str:
    """Return the hits at a number of false positives, with those of the detector alone where they are known."""
    hits, alone = int(row[f"hits_at_{count}_fp"]), row[f"before_scorer_hits_at_{count}_fp"]
    return str(hits) if pd.isna(alone) else f"{hits} (detector alone: {int(alone)})"
