"""Read LUNA16's tables: annotations, exclusions, readers' ratings and the series' patients."""

from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.tables.characteristics import CHARACTERISTICS, RATING_COLUMNS, ratings_pattern
from lungpipe.tables.csv_input import parse_number, read_texts
from lungpipe.tables.errors import InputError

ANNOTATIONS_FILE = "annotations.csv"
EXCLUSIONS_FILE = "annotations_excluded.csv"
CANDIDATES_FILES = ("candidates_V2.csv", "candidates.csv")
"""LUNA16's tables of candidates, in order of preference."""
RATINGS_FILE = "nodule_ratings.csv"
SERIES_FILE = "series.csv"
SERIES_OF_LIDC_IDRI_0332 = (
    "1.3.6.1.4.1.14519.5.2.1.6279.6001.159996104466052855396410079250",
    "1.3.6.1.4.1.14519.5.2.1.6279.6001.316900421002460665752357657094",
)
"""The one LUNA16 patient with two scans, in subsets 2 and 6; LUNA16's own files do not state this."""
_CENTER = {"coordZ": "center_z_mm", "coordY": "center_y_mm", "coordX": "center_x_mm"}
_OTHER_RATINGS = tuple(column for name, column in RATING_COLUMNS.items() if name != "malignancy")
_UNKNOWN_DIAMETER = -1.0
LARGEST_DIAMETER_MM = 200.0
"""Largest accepted diameter (mm); LUNA16's nodules reach 32.3 mm."""
SAME_CENTER_MM = 1.0
"""Rows with centres closer than this (mm) are the same nodule twice; LUNA16's nearest nodules are 5.9 mm apart."""


class DatasetError(ValueError):
    """A dataset whose files contradict each other; the message names file, row and series."""


def read_annotations(root: Path) -> pd.DataFrame:
    """Return the annotated nodules: line, series_uid, center_{z,y,x}_mm, diameter_mm (positive).

    `root` is the folder of the dataset, or the table itself.

    Raises:
        DatasetError: a missing file or column, an invalid position or diameter, or a nodule twice.
    """
    path = _in_folder(root, ANNOTATIONS_FILE)
    table = _read_marks(path)
    _refuse(path, table, table["diameter_mm"] <= 0, column="diameter_mm", expected="a positive diameter in mm")
    _refuse_doubles(path, table)
    return table


def read_exclusions(root: Path) -> pd.DataFrame:
    """Return the findings that are not scored, with the columns of the annotations; unknown diameters are -1.

    LUNA16's own table has many rows twice, which changes nothing, since these findings are not scored.
    """
    path = _in_folder(root, EXCLUSIONS_FILE)
    table = _read_marks(path)
    wrong = (table["diameter_mm"] <= 0) & (table["diameter_mm"] != _UNKNOWN_DIAMETER)
    _refuse(path, table, wrong, column="diameter_mm", expected="a positive diameter in mm or -1")
    return table


def read_ratings(root: Path) -> pd.DataFrame:
    """Return the readers' ratings: columns as the annotations' and malignancy_ratings ("4;3;1"); empty without file.

    The columns of the other eight characteristics are returned where the file has them; their cells may be empty.
    """
    path = _in_folder(root, RATINGS_FILE)
    if not path.is_file():
        columns = ["series_uid", *_CENTER.values(), "diameter_mm", "line", "malignancy_ratings"]
        return pd.DataFrame({name: pd.Series(dtype="str" if "_mm" not in name else "float64") for name in columns})
    table = _read_marks(path, "malignancy_ratings", optional=_OTHER_RATINGS)
    for name, column in RATING_COLUMNS.items():
        if column in table:
            is_wrong = ~table[column].str.fullmatch(ratings_pattern(CHARACTERISTICS[name])).astype(bool)
            is_wrong &= (table[column] != "") | (column not in _OTHER_RATINGS)
            highest = CHARACTERISTICS[name]
            _refuse(path, table, is_wrong, column=column, expected=f"ratings 1-{highest} with ';' between")
    return table


def has_all_ratings(path: Path) -> bool:
    """Return whether a table of ratings has the columns of all nine characteristics."""
    return {*RATING_COLUMNS.values()} <= {*read_ratings(path).columns}


def read_candidates(root: Path) -> pd.DataFrame:
    """Return the candidates of the dataset: line, series_uid, center_{z,y,x}_mm, is_nodule (bool).

    `root` is the folder of the dataset, or the table itself; in a folder, candidates_V2.csv is read rather than
    candidates.csv.

    Raises:
        DatasetError: no table, a missing column, an invalid position, or a class that is not 0 or 1.
    """
    path = find_candidates(root)
    table = _read_marks(path, "class", diameter=())
    wrong = ~table["class"].isin(["0", "1"])
    _refuse(path, table, wrong, column="class", expected="0 or 1")
    return table.assign(is_nodule=table["class"] == "1").drop(columns="class")


def find_candidates(root: Path) -> Path:
    """Return the table of candidates in a dataset's folder, candidates_V2.csv if there is none."""
    paths = [_in_folder(root, name) for name in CANDIDATES_FILES]
    return next((path for path in paths if path.is_file()), paths[0])


def read_patients(root: Path) -> dict[str, str]:
    """Return the patient of every series in series.csv, and of the two scans of one LUNA16 patient."""
    known = dict.fromkeys(SERIES_OF_LIDC_IDRI_0332, "LIDC-IDRI-0332")
    path = Path(root) / SERIES_FILE
    if path.is_file():
        table = read_columns(path, ("seriesuid", "patient_id"))
        missing = (table["seriesuid"] == "") | (table["patient_id"] == "")
        table = table.rename(columns={"seriesuid": "series_uid"})
        _refuse(path, table, missing, column="patient_id", expected="series and patient")
        # two patients for one series would put a patient into training and test
        others = table.groupby("series_uid")["patient_id"].transform("first") != table["patient_id"]
        _refuse(path, table, others, column="patient_id", expected="the patient of this series' first row")
        known |= dict(zip(table["series_uid"], table["patient_id"], strict=True))
    return known


def read_sources(root: Path) -> dict[str, str]:
    """Return for each series the series that it was cut from (source_seriesuid of series.csv); empty without column."""
    path = Path(root) / SERIES_FILE
    if not path.is_file():
        return {}
    table = read_columns(path, ("seriesuid",), ("source_seriesuid",))
    if "source_seriesuid" not in table:
        return {}
    return {uid: source for uid, source in zip(table["seriesuid"], table["source_seriesuid"], strict=True) if source}


def read_columns(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return columns of a CSV as text, and the `line` of each row; `optional` columns only where the file has them.

    Raises:
        DatasetError: no such file, a missing column, or a file that is no table.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: expected a table with the columns {', '.join(columns)}, found no file")
    try:
        return read_texts(path, columns, optional)
    except InputError as error:
        raise DatasetError(str(error)) from None


def _in_folder(root: Path, name: str) -> Path:
    path = Path(root)
    # a table that is missing is still the table that was named
    is_table = path.is_file() or (path.suffix.lower() == ".csv" and not path.is_dir())
    return path if is_table else path / name


def _read_marks(
    path: Path, *further: str, diameter: tuple[str, ...] = ("diameter_mm",), optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    table = read_columns(path, ("seriesuid", *_CENTER, *diameter, *further), optional)
    table = table.rename(columns={"seriesuid": "series_uid"})
    _refuse(path, table, table["series_uid"] == "", column="seriesuid", expected="a series UID")
    for name in (*_CENTER, *diameter):
        values = table[name].map(parse_number).astype("float64")
        _refuse(path, table, ~np.isfinite(values), column=name, expected="a finite number in mm")
        table[name] = values
    for name in diameter:
        is_huge = table[name] > LARGEST_DIAMETER_MM
        _refuse(path, table, is_huge, column=name, expected=f"at most {LARGEST_DIAMETER_MM:g} mm")
    return table.rename(columns=_CENTER)


def _refuse_doubles(path: Path, table: pd.DataFrame) -> None:
    for uid, rows in table.groupby("series_uid"):
        centers = rows[list(_CENTER.values())].to_numpy()
        for index in range(1, len(rows)):
            distances = np.linalg.norm(centers[:index] - centers[index], axis=1)
            if distances.min() <= SAME_CENTER_MM:
                first = rows["line"].iloc[int(distances.argmin())]
                place = f"{path}, line {rows['line'].iloc[index]}, series {uid}"
                raise DatasetError(f"{place}: expected a nodule once, found the one of line {first} again")


def _refuse(path: Path, table: pd.DataFrame, wrong: "pd.Series[bool]", *, column: str, expected: str) -> None:
    if wrong.any():
        row = table.loc[wrong.idxmax()]
        place = f"{path}, line {row['line']}, series {row['series_uid']}"
        value = row.get(column, "")
        found = repr(value) if isinstance(value, str) else f"{value:g}"
        raise DatasetError(f"{place}: {column}: expected {expected}, found {found}")
