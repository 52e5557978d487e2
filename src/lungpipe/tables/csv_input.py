"""Strict reading of CSV files from any tool: a correct table, or an error that names file, row and column.

`read_csv` returns numbers as numbers. pyarrow reads well-formed files; a file that pyarrow refuses is read again row by
row, which either names the first wrong row or accepts a file that pyarrow refuses without need. `read_texts` returns
every cell as text with its line number, for callers with checks of their own.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from lungpipe.tables.errors import InputError
from lungpipe.tables.open_text import open_bytes, read_lines

_SURPLUS = "\0"
"""Name given to the column without a name, if rows end with a comma and the header does not."""


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """The columns to read: texts (never empty), numbers (finite), and those that are read where the file has them."""

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    optional_texts: tuple[str, ...] = ()
    optional_numbers: tuple[str, ...] = ()

    def found_in(self, header: Sequence[str]) -> "CsvFormat":
        """Return the format without the optional columns that `header` lacks; optional numbers become required ones."""
        return CsvFormat(
            self.texts,
            (*self.numbers, *(name for name in self.optional_numbers if name in header)),
            tuple(name for name in self.optional_texts if name in header),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column."""
        return (*self.texts, *self.numbers, *self.optional_texts, *self.optional_numbers)


def read_csv(path: Path, layout: CsvFormat) -> pd.DataFrame:
    """Return the columns of `layout` in file order; other columns are not read. UTF-8, with or without BOM.

    Plain or compressed by gzip; column names in any case; rows may all end with a comma.

    Raises:
        InputError: no regular file, no header, a missing or doubled column, another delimiter, a row of another length,
            an empty text or one with blanks around it, a cell that is not a finite number.
    """
    path = Path(path)
    header = _read_header(path, layout)
    if _has_surplus(path, header):
        header = [*header, _SURPLUS]
    present = layout.found_in(header)
    try:
        table = _read_fast(path, header, present)
    except (pa.ArrowInvalid, pa.ArrowKeyError, EOFError, OSError, zlib.error):
        return _read_slowly(path, header, present)
    numbers_ok = all(np.isfinite(table[name].to_numpy()).all() for name in present.numbers)
    if numbers_ok and not any(((text := table[name]) == "").any() or _has_blanks(text) for name in present.texts):
        return table
    return _read_slowly(path, header, present)


def _has_blanks(texts: pd.Series) -> bool:
    return bool((texts.str.strip() != texts).any())


def read_texts(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the given columns in their order as stripped texts, and `line` (from 1, int64).

    Of the `optional` columns those follow that the file has.

    Raises:
        InputError: as `read_csv`, apart from what a cell holds.
    """
    path = Path(path)
    header = _read_header(path, CsvFormat(columns, (), optional))
    columns = (*columns, *(name for name in optional if name in header))
    places = [header.index(name) for name in columns]
    rows = [[*(cells[place].strip() for place in places), line] for _, line, cells in _rows_below(path, header)]
    return pd.DataFrame(rows, columns=[*columns, "line"]).astype({**dict.fromkeys(columns, "str"), "line": "int64"})


def parse_number(cell: str) -> float:
    """Return the number in a text, NaN if the text is not a number.

    Python's float() would also accept 1_000 and the digits of other scripts.
    """
    if "_" in cell or not cell.isascii():
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.nan


def open_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number (from 1) and cells of every row that is not blank; raises InputError naming the line.

    The file may be compressed by gzip, whatever its name.
    """
    line = 0
    try:
        with open_bytes(path) as content, io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(read_lines(stream, path), strict=True)
            for cells in reader:
                line = reader.line_num
                if cells:
                    yield line, cells
    except (OSError, EOFError, zlib.error) as error:
        found = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: expected a readable CSV file, found: {found}") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, after line {line}: expected UTF-8 text, found other bytes ({error.reason})"
        ) from None
    except csv.Error as error:
        raise InputError(f"{path}, after line {line}: expected rows of a CSV file, found: {error}") from None


def _read_header(path: Path, layout: CsvFormat) -> list[str]:
    expected = ", ".join((*layout.texts, *layout.numbers))
    _, cells = next(open_rows(path), (0, []))
    header = _in_own_case([cell.strip() for cell in cells], layout)
    if not any(header):
        raise InputError(f"{path}: expected a header with the columns {expected}, found an empty file")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        found = "semicolons" if ";" in header[0] else "tabs"
        raise InputError(f"{path}, row 0 (the header): expected columns separated by commas, found {found}")
    for name in layout.columns:
        is_optional = name in layout.optional_texts or name in layout.optional_numbers
        if header.count(name) != 1 and not (is_optional and name not in header):
            raise InputError(
                f"{path}, row 0 (the header), column {name}: expected the columns {expected}, "
                f"each once, found {', '.join(header)}"
            )
    return header


def _in_own_case(header: list[str], layout: CsvFormat) -> list[str]:
    """Return the header with the layout's columns spelt as in the layout, also if the file has another case."""
    lowered = [cell.lower() for cell in header]
    renamed = dict(zip(header, header, strict=True))
    for name in layout.columns:
        if name not in header and lowered.count(name.lower()) == 1:
            renamed[header[lowered.index(name.lower())]] = name
    return [renamed[cell] for cell in header]


def _has_surplus(path: Path, header: list[str]) -> bool:
    """Return whether the first row has one cell more than the header, and that cell is empty: a comma at its end."""
    rows = open_rows(path)
    next(rows)
    _, first = next(rows, (0, header))
    return len(first) == len(header) + 1 and not first[-1].strip()


def _read_fast(path: Path, header: list[str], layout: CsvFormat) -> pd.DataFrame:
    # unread columns may be nameless or doubled, so every column gets a unique name
    names = [name if name in layout.columns else f"#{index}" for index, name in enumerate(header)]
    kinds = {name: pa.float64() if name in layout.numbers else pa.string() for name in (*layout.columns, names[-1])}
    wanted = [*layout.columns, *(names[-1:] if header[-1] == _SURPLUS else [])]
    with open_bytes(path) as stream:
        table = pacsv.read_csv(
            stream if isinstance(stream, gzip.GzipFile) else path,
            read_options=pacsv.ReadOptions(column_names=names, skip_rows=1, block_size=1 << 24),
            parse_options=pacsv.ParseOptions(newlines_in_values=False),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds, include_columns=wanted, null_values=[], strings_can_be_null=False
            ),
        ).to_pandas()
    if len(wanted) > len(layout.columns) and not (table.pop(wanted[-1]).astype("str") == "").all():
        raise pa.ArrowInvalid("a row is longer than the header")
    return table


def _read_slowly(path: Path, header: list[str], layout: CsvFormat) -> pd.DataFrame:
    places = {name: header.index(name) for name in layout.columns}
    columns: dict[str, list[str | float]] = {name: [] for name in layout.columns}
    for row, line, cells in _rows_below(path, header):
        where = f"{path}, row {row} (line {line})"
        for name, place in places.items():
            if name in layout.numbers:
                columns[name].append(_number(cells[place], where, name))
            elif not cells[place] and name in layout.texts:
                raise InputError(f"{where}, column {name}: expected a text, found nothing")
            elif name in layout.texts and cells[place] != cells[place].strip():
                raise InputError(
                    f"{where}, column {name}: expected a text without blanks around it, found {cells[place]!r}"
                )
            else:
                columns[name].append(cells[place])
    return pd.DataFrame(
        {name: pd.Series(v, dtype="float64" if name in layout.numbers else "str") for name, v in columns.items()}
    )


def _rows_below(path: Path, header: list[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield row (from 1), line (from 1) and cells of each row; each must have as many cells as the header."""
    rows = open_rows(path)
    next(rows)
    num_cells = len(header) - (header[-1] == _SURPLUS)
    for row, (line, cells) in enumerate(rows, start=1):
        is_longer = header[-1] == _SURPLUS and cells[-1].strip() != ""
        if len(cells) != len(header) or is_longer:
            found = f"found {len(cells)}: {cells}"
            raise InputError(f"{path}, row {row} (line {line}): expected {num_cells} cells as in the header, {found}")
        yield row, line, cells


def _number(cell: str, where: str, column: str) -> float:
    value = parse_number(cell)
    if not math.isfinite(value):
        raise InputError(f"{where}, column {column}: expected a finite number, found {cell!r}")
    return value
