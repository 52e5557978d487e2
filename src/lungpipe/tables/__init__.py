"""Tables with contracts, written only if valid, and as complete files."""

from lungpipe.tables.atomic import replacing, write_bytes, write_json, write_text
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
    "EXCLUSIONS",
    "FAILURES",
    "HISTORY",
    "NODULES",
    "PATIENTS",
    "POINTS",
    "QC",
    "REFERENCES",
    "SCORED",
    "SERIES",
    "Column",
    "Contract",
    "ContractError",
    "read_table",
    "replacing",
    "write_bytes",
    "write_json",
    "write_table",
    "write_text",
]
