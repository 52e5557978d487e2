"""candidates.csv: the candidates of one or several predictions, in LUNA16's columns and more."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lungpipe.prediction.result import NOTICE, Prediction
from lungpipe.tables import write_csv
from lungpipe.tables.characteristics import EXPECTED_RATING_COLUMNS

_COLUMNS = (
    "seriesuid",
    "coordX",
    "coordY",
    "coordZ",
    "probability",
    "diameter_mm",
    "volume_mm3",
    "slice_number",
    "first_slice",
    "last_slice",
    "side",
    "malignancy",
    "detector_score",
    "number",
    "has_mask",
)
"""LUNA16's own five columns, and those of `lungpipe.prediction.result.Candidate`."""
COLUMNS = (*_COLUMNS, *EXPECTED_RATING_COLUMNS.values(), "notice")
"""All columns: expected ratings follow (empty where the scorer does not rate), and the notice."""


def candidate_table(prediction: Prediction) -> pd.DataFrame:
    """Return the candidates with the columns COLUMNS (world LPS mm), by falling probability."""
    rows = []
    for candidate in prediction.candidates:
        z, y, x = candidate.center_zyx_mm
        own = {name: getattr(candidate, name) for name in _COLUMNS[4:]}
        world = {"coordX": x, "coordY": y, "coordZ": z}
        ratings = {EXPECTED_RATING_COLUMNS[name]: value for name, value in (candidate.ratings or {}).items()}
        rows.append({"seriesuid": prediction.series_uid, **world, **own, **ratings, "notice": NOTICE})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_candidates(tables: Iterable[pd.DataFrame], path: Path) -> None:
    """Write tables of candidates below each other as one CSV, whole, every digit kept; unknown values stay empty."""
    filled = [table for table in tables if len(table)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(COLUMNS))
    write_csv(table, Path(path))
