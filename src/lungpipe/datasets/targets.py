"""Collect the targets of a study: series with patient and subset, nodules, their ratings, exclusions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.datasets.annotations import (
    ANNOTATIONS_FILE,
    EXCLUSIONS_FILE,
    RATINGS_FILE,
    DatasetError,
    read_annotations,
    read_exclusions,
    read_patients,
    read_ratings,
    read_sources,
)
from lungpipe.datasets.luna16 import check_known
from lungpipe.tables import (
    CENTER_COLUMNS,
    EXCLUSIONS,
    NODULES,
    RATING_COLUMNS,
    RATINGS,
    SERIES,
    Contract,
    write_table,
)

MATCH_DISTANCE_MM = 0.01
"""Ratings and annotations belong together if their centres are closer than this (mm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The contract tables SERIES, NODULES, RATINGS and EXCLUSIONS of one dataset."""

    series: pd.DataFrame
    nodules: pd.DataFrame
    ratings: pd.DataFrame
    exclusions: pd.DataFrame


def collect_targets(
    root: Path, subsets: Mapping[str, int], ratings_path: Path | None = None, *, is_partial: bool = False
) -> Targets:
    """Return the targets of a dataset whose tables are in `root`; `subsets` gives the subset of every series.

    The ratings are those of the dataset's nodule_ratings.csv. Columns that this file does not have are taken from
    `ratings_path`, a table of `lungpipe ratings`; its series are those that the dataset's series were cut from.
    `is_partial`: the tables may hold other series too, whose rows are left out.

    Raises:
        DatasetError: tables that contradict each other or the subset folders.
    """
    root = Path(root)

    def read_known(name: str, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
        table = read(root / name)
        if not is_partial:
            check_known(root / name, table, subsets)
        return table[table["series_uid"].isin(list(subsets))].reset_index(drop=True)

    nodules = read_known(ANNOTATIONS_FILE, read_annotations)
    exclusions = read_known(EXCLUSIONS_FILE, read_exclusions)
    own = read_known(RATINGS_FILE, read_ratings)
    rated = match_ratings(nodules, own, root / RATINGS_FILE)
    if ratings_path is not None:
        rated = _fill(rated, find_ratings(nodules, read_ratings(ratings_path), read_sources(root)))
    named = _nodules_table(nodules, rated["malignancy_ratings"])
    return Targets(
        series=_series_table(subsets, read_patients(root)),
        nodules=named,
        ratings=RATINGS.conform(rated.assign(nodule_id=named["nodule_id"].to_numpy())),
        exclusions=EXCLUSIONS.conform(exclusions[list(EXCLUSIONS.columns)]),
    )


def match_ratings(nodules: pd.DataFrame, ratings: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return each nodule's ratings (RATING_COLUMNS, index as `nodules`), matched by series and centre in 0.01 mm.

    None where a nodule is unrated, and in columns that `ratings` does not have.

    Raises:
        DatasetError: a row of ratings without its nodule, or two rows for one nodule.
    """
    row_of = pd.Series([-1] * len(nodules), index=nodules.index)
    by_series = dict(list(nodules.groupby("series_uid")))
    for number, row in enumerate(ratings.itertuples(index=False)):
        place = f"{path}, line {row.line}, series {row.series_uid}"
        group = by_series.get(row.series_uid, nodules.iloc[:0])
        distances = _distances(group, row)
        if not (distances <= MATCH_DISTANCE_MM).any():
            nearest = f"the nearest {distances.min():.3f} mm away" if len(distances) else "none in the series"
            raise DatasetError(f"{place}: expected an annotation within {MATCH_DISTANCE_MM} mm, found {nearest}")
        label = group.index[int(np.argmin(distances))]
        if row_of[label] >= 0:
            raise DatasetError(f"{place}: expected one row of ratings for a nodule, found two")
        row_of[label] = number
    return _take_ratings(ratings, row_of)


def find_ratings(nodules: pd.DataFrame, ratings: pd.DataFrame, source_of: Mapping[str, str]) -> pd.DataFrame:
    """Return each nodule's ratings (as `match_ratings`) from a table that may hold more scans and nodules.

    `source_of` names the scan in `ratings` that a series was cut from; other series keep their own name.
    """
    by_series = {str(uid): group for uid, group in ratings.reset_index(drop=True).groupby("series_uid")}
    row_of = pd.Series([-1] * len(nodules), index=nodules.index)
    for nodule in nodules.itertuples():
        group = by_series.get(source_of.get(nodule.series_uid, nodule.series_uid), ratings.iloc[:0])
        distances = _distances(group, nodule)
        if (distances <= MATCH_DISTANCE_MM).any():
            row_of[nodule.Index] = group.index[int(np.argmin(distances))]
    return _take_ratings(ratings, row_of)


def _distances(marks: pd.DataFrame, place: Any) -> NDArray[np.float64]:
    center = np.array([getattr(place, name) for name in CENTER_COLUMNS])
    return np.linalg.norm(marks[list(CENTER_COLUMNS)].to_numpy(float) - center, axis=1)


def _take_ratings(ratings: pd.DataFrame, row_of: pd.Series) -> pd.DataFrame:
    taken = {}
    for column in RATING_COLUMNS.values():
        texts = ratings[column].tolist() if column in ratings else [""] * len(ratings)
        taken[column] = [texts[row] or None if row >= 0 else None for row in row_of]
    return pd.DataFrame(taken, index=row_of.index, dtype=object)


def _fill(own: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the own ratings, columns without any of them replaced by those of another table."""
    return own.assign(**{column: others[column] for column in own if own[column].isna().all()})


def write_targets(targets: Targets, folder: Path) -> None:
    """Write series.parquet, nodules.parquet, ratings.parquet and exclusions.parquet into `folder`."""
    for name, contract in _FILES.items():
        write_table(getattr(targets, name), Path(folder) / f"{name}.parquet", contract)


_FILES: dict[str, Contract] = {"series": SERIES, "nodules": NODULES, "ratings": RATINGS, "exclusions": EXCLUSIONS}


def _series_table(subsets: Mapping[str, int], patients: dict[str, str]) -> pd.DataFrame:
    rows = sorted((subset, uid) for uid, subset in subsets.items())
    table = {
        "series_uid": [uid for _, uid in rows],
        "patient_id": [patients.get(uid, uid) for _, uid in rows],
        "subset": [subset for subset, _ in rows],
    }
    return SERIES.conform(pd.DataFrame(table))


def _nodules_table(nodules: pd.DataFrame, ratings: pd.Series) -> pd.DataFrame:
    row = nodules.groupby("series_uid").cumcount().astype(str)
    table = nodules.assign(nodule_id=nodules["series_uid"] + "#" + row, malignancy_ratings=ratings)
    return NODULES.conform(table[list(NODULES.columns)])
