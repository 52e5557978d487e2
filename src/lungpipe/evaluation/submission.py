"""LUNA16's CSV files: submissions, annotations, excluded findings, the list of scans."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lungpipe.tables import CENTER_COLUMNS, file_sha256, write_csv
from lungpipe.tables.csv_input import CsvFormat, open_rows, read_csv
from lungpipe.tables.errors import InputError

_WORLD = ("coordX", "coordY", "coordZ")
_NAMES = {"seriesuid": "series_uid", **dict(zip(_WORLD, reversed(CENTER_COLUMNS), strict=True))}
_SUBMISSION = CsvFormat(("seriesuid",), (*_WORLD, "probability"), optional_numbers=("diameter_mm",))
_POSITIONS = CsvFormat(("seriesuid",), _WORLD, optional_numbers=("diameter_mm", "probability"))
_FINDINGS = CsvFormat(
    ("seriesuid",), (*_WORLD, "diameter_mm"), optional_texts=("malignancy_ratings", "texture_ratings")
)

_SERIES_COLUMNS = frozenset({"seriesuid", "series_uid", "seriesinstanceuid", "series_instance_uid", "uid"})
_UID = re.compile(r"\d+(\.\d+)+")
_COMMENT = ("#", "//", ";", "%")
"""A row that begins like this is a note, which would count as a scan."""
_FILE_ENDINGS = (".mhd", ".mha", ".raw", ".zraw", ".nii", ".nii.gz", ".dcm", ".zip", ".zarr")


def read_submission(path: Path) -> pd.DataFrame:
    """Return the marks in file order: series_uid, center_{z,y,x}_mm (LPS mm), probability.

    A column diameter_mm, which the official format does not have, is kept where the file has it.

    Raises:
        InputError: naming file, row and column.
    """
    return _named(read_csv(path, _SUBMISSION))


def read_positions(path: Path) -> pd.DataFrame:
    """Return positions to score in file order: series_uid, center_{z,y,x}_mm (LPS mm).

    The columns diameter_mm and probability (a detector's) are kept where the file has them.

    Raises:
        InputError: naming file, row and column; a probability that is not within 0 and 1.
    """
    table = _named(read_csv(path, _POSITIONS))
    if "probability" in table:
        wrong = ~table["probability"].between(0, 1)
        if wrong.any():
            row = int(wrong.idxmax())
            found = table["probability"][row]
            raise InputError(f"{path}, row {row + 1}, column probability: expected 0 to 1, found {found:g}")
    return table


def read_findings(path: Path) -> pd.DataFrame:
    """Return annotated or excluded findings in file order: series_uid, center_{z,y,x}_mm (LPS mm), diameter_mm.

    The columns malignancy_ratings and texture_ratings (1-5, one per reader, ';' between) are kept where the file has
    them; a negative diameter stays negative.

    Raises:
        InputError: naming file, row and column.
    """
    return _named(read_csv(path, _FINDINGS))


def read_series_list(path: Path) -> list[str]:
    """Return the scans of a study, in file order: one UID per row without header, or the UID column of a table.

    The column is called seriesuid, series_uid, SeriesInstanceUID, series_instance_uid or uid, in any case. Any other
    row that is no UID is refused, since that row would count as a scan.

    Raises:
        InputError: no scan, a scan that is listed twice, a row without header that is no UID, names of files.
    """
    rows = open_rows(path)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path}: expected a list of series UIDs, found an empty file")
    named = [cell for cell in map(str.strip, first[1]) if cell.lower() in _SERIES_COLUMNS]
    if len(named) == 1:
        series = [uid.strip() for uid in read_csv(path, CsvFormat((named[0],), ()))[named[0]]]
    else:
        series = [_only_cell(path, line, cells) for line, cells in (first, *rows)]
    _refuse_notes(path, series)
    files = [uid for uid in series if uid.lower().endswith(_FILE_ENDINGS)]
    if files:
        raise InputError(
            f"{path}: expected series UIDs, found {files[0]!r}, the name of a file ({len(files)} such rows)"
        )
    doubled = [uid for uid, count in Counter(series).items() if count > 1]
    if doubled or not series:
        found = f"series {doubled[0]} in row {series.index(doubled[0]) + 1} and again" if doubled else "none"
        raise InputError(f"{path}, column seriesuid: expected different series UIDs, found {found}")
    return series


def read_subsets(path: Path) -> dict[str, str]:
    """Return the subset of each series from a CSV with the columns seriesuid and subset; raises InputError."""
    table = read_csv(path, CsvFormat(("seriesuid", "subset"), ()))
    return dict(zip(table["seriesuid"], table["subset"], strict=True))


def write_submission(table: pd.DataFrame, path: Path, *, has_diameters: bool = False) -> None:
    """Write marks as LUNA16's CSV (seriesuid, coordX, coordY, coordZ, probability), whole, every digit kept.

    With `has_diameters` a last column diameter_mm follows, which the official format does not have.
    """
    official = pd.DataFrame({theirs: table[ours] for theirs, ours in _NAMES.items()})
    for name in ("probability", "diameter_mm") if has_diameters else ("probability",):
        official[name] = table[name]
    write_csv(official, Path(path))


def write_positions(table: pd.DataFrame, path: Path) -> None:
    """Write positions as CSV, whole: seriesuid, coordX, coordY, coordZ, then the table's other columns."""
    others = [name for name in table if name not in _NAMES.values()]
    official = pd.DataFrame({theirs: table[ours] for theirs, ours in _NAMES.items()})
    write_csv(official.join(table[others]), Path(path))


def fingerprints(paths: Mapping[str, Path | None]) -> dict[str, dict[str, str]]:
    """Return name and SHA-256 of each given file; results store them to name their inputs."""
    given = {role: Path(path) for role, path in paths.items() if path is not None}
    return {role: {"file": path.name, "sha256": file_sha256(path)} for role, path in given.items()}


def _named(table: pd.DataFrame) -> pd.DataFrame:
    named = table.rename(columns=_NAMES)
    rest = [name for name in named.columns if name not in ("series_uid", *CENTER_COLUMNS)]
    return named[["series_uid", *CENTER_COLUMNS, *rest]]


def _refuse_notes(path: Path, series: Sequence[str]) -> None:
    """Raise InputError for a comment, and for any other text among UIDs; a list of other names may have any names."""
    is_uid = [_UID.fullmatch(uid) is not None or uid.lower().endswith(_FILE_ENDINGS) for uid in series]
    pairs = zip(series, is_uid, strict=True)
    notes = [uid for uid, is_right in pairs if uid.startswith(_COMMENT) or (any(is_uid) and not is_right)]
    if notes:
        raise InputError(f"{path}: expected series UIDs, found {notes[0]!r} ({len(notes)} such rows)")


def _only_cell(path: Path, line: int, cells: list[str]) -> str:
    uid = cells[0].strip()
    if len(cells) != 1 or not (_UID.fullmatch(uid) or uid.lower().endswith(_FILE_ENDINGS)):
        raise InputError(f"{path}, line {line}: expected one series UID or a header with seriesuid, found {cells}")
    return uid
