"""Refuse to track tables with identifiers of patients."""

from pathlib import Path

from lungpipe.services.tracking.errors import TrackingError

IDENTIFIERS = frozenset({"series_uid", "patient_id", "study_uid", "PatientID", "PatientName", "seriesuid"})
"""Columns that identify a person."""


def refuse_identifiers(path: Path) -> None:
    """Raise TrackingError for a CSV or parquet table with a column that names patients or their scans."""
    found = sorted(IDENTIFIERS & set(_columns(path)))
    if found:
        raise TrackingError(f"{path}: expected a table without identifiers of patients, found {', '.join(found)}")


def _columns(path: Path) -> list[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as stream:
            return [name.strip().strip('"') for name in stream.readline().split(",")]
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return list(parquet.read_schema(path).names)
    return []
