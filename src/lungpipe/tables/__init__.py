"""Tables with contracts, written only if valid, and as complete files."""

from lungpipe.tables.atomic import WriteError, naming, replacing, write_bytes, write_json, write_text
from lungpipe.tables.characteristics import CHARACTERISTICS, MAX_RATING, RATING_COLUMNS, parse_ratings
from lungpipe.tables.columns import Column, Contract, ContractError, Limits
from lungpipe.tables.contracts import (
    CANDIDATE_MASKS,
    CANDIDATES,
    CENTER_COLUMNS,
    EXCLUSIONS,
    FAILURES,
    HISTORY,
    MEASURES,
    NODULES,
    PATIENTS,
    POINTS,
    QC,
    RATED,
    RATINGS,
    REFERENCES,
    SCORED,
    SERIES,
)
from lungpipe.tables.digests import DigestError, check_digests, file_sha256, write_digests
from lungpipe.tables.io import read_table, write_csv, write_table
from lungpipe.tables.json_input import read_json, read_json_object
from lungpipe.tables.machine import MachineError, is_full, is_of_machine
from lungpipe.tables.regular import IrregularFileError, require_regular

__all__ = [
    "CANDIDATES",
    "CANDIDATE_MASKS",
    "CENTER_COLUMNS",
    "CHARACTERISTICS",
    "EXCLUSIONS",
    "FAILURES",
    "HISTORY",
    "MAX_RATING",
    "MEASURES",
    "NODULES",
    "PATIENTS",
    "POINTS",
    "QC",
    "RATED",
    "RATINGS",
    "RATING_COLUMNS",
    "REFERENCES",
    "SCORED",
    "SERIES",
    "Column",
    "Contract",
    "ContractError",
    "DigestError",
    "IrregularFileError",
    "Limits",
    "MachineError",
    "WriteError",
    "check_digests",
    "file_sha256",
    "is_full",
    "is_of_machine",
    "naming",
    "parse_ratings",
    "read_json",
    "read_json_object",
    "read_table",
    "replacing",
    "require_regular",
    "write_bytes",
    "write_csv",
    "write_digests",
    "write_json",
    "write_table",
    "write_text",
]
