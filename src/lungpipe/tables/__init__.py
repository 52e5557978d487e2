"""Tables with contracts, written only if valid, and as complete files."""

from lungpipe.tables.atomic import replacing, write_bytes, write_json, write_text
from lungpipe.tables.characteristics import CHARACTERISTICS, MAX_RATING, RATING_COLUMNS, parse_ratings
from lungpipe.tables.contracts import (
    CANDIDATES,
    CENTER_COLUMNS,
    EXCLUSIONS,
    FAILURES,
    HISTORY,
    NODULES,
    PATIENTS,
    POINTS,
    QC,
    RATINGS,
    REFERENCES,
    SCORED,
    SERIES,
    Column,
    Contract,
    ContractError,
)
from lungpipe.tables.io import read_table, write_table

__all__ = [
    "CANDIDATES",
    "CENTER_COLUMNS",
    "CHARACTERISTICS",
    "EXCLUSIONS",
    "FAILURES",
    "HISTORY",
    "MAX_RATING",
    "NODULES",
    "PATIENTS",
    "POINTS",
    "QC",
    "RATINGS",
    "RATING_COLUMNS",
    "REFERENCES",
    "SCORED",
    "SERIES",
    "Column",
    "Contract",
    "ContractError",
    "parse_ratings",
    "read_table",
    "replacing",
    "write_bytes",
    "write_json",
    "write_table",
    "write_text",
]
