"""Collect the targets of a study: series with patient and subset, nodules with ratings, exclusions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.datasets.annotations import (
    ANNOTATIONS_FILE,
    EXCLUSIONS_FILE,
    RATINGS_FILE,
    DatasetError,
    read_annotations,
    read_exclusions,
    read_patients,
    read_ratings,
)
from lungpipe.datasets.luna16 import check_known
from lungpipe.tables import CENTER_COLUMNS, EXCLUSIONS, NODULES, SERIES, Contract, read_table, write_table

MATCH_DISTANCE_MM = 0.01
"""Ratings and annotations belong together if their centres are closer than this (mm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The contract tables SERIES, NODULES and EXCLUSIONS of one dataset."""

    series: pd.DataFrame
    nodules: pd.DataFrame
    exclusions: pd.DataFrame


def collect_targets(root: Path, subsets: Mapping[str, int], ratings_path: Path | None = None) -> Targets:
    """Return the targets of a dataset whose tables are in `root`; `subsets` gives the subset of every series.

    `ratings_path` names a table that is read instead of the dataset's nodule_ratings.csv.

    Raises:
        DatasetError: tables that contradict each other or the subset folders.
    """
    root = Path(root)
    nodules = _read_known(root, ANNOTATIONS_FILE, read_annotations, subsets)
    exclusions = _read_known(root, EXCLUSIONS_FILE, read_exclusions, subsets)
    ratings_path = ratings_path or root / RATINGS_FILE
    ratings = read_ratings(ratings_path)
    check_known(ratings_path, ratings, subsets)
    return Targets(
        series=_series_table(subsets, read_patients(root)),
        nodules=_nodules_table(nodules, match_ratings(nodules, ratings, ratings_path)),
        exclusions=EXCLUSIONS.conform(exclusions[list(EXCLUSIONS.columns)]),
    )


def match_ratings(nodules: pd.DataFrame, ratings: pd.DataFrame, path: Path) -> pd.Series:
    """Return each nodule's ratings (index as `nodules`, None where unrated), matched by series and centre in 0.01 mm.

    Raises:
        DatasetError: a row of ratings without its nodule, or two rows for one nodule.
    """
    matched = pd.Series([None] * len(nodules), index=nodules.index, dtype=object)
    by_series = dict(list(nodules.groupby("series_uid")))
    for row in ratings.itertuples(index=False):
        place = f"{path}, line {row.line}, series {row.series_uid}"
        center = np.array([getattr(row, name) for name in CENTER_COLUMNS])
        group = by_series.get(row.series_uid, nodules.iloc[:0])
        distances = np.linalg.norm(group[list(CENTER_COLUMNS)].to_numpy(float) - center, axis=1)
        if not (distances <= MATCH_DISTANCE_MM).any():
            nearest = f"the nearest {distances.min():.3f} mm away" if len(distances) else "none in the series"
            raise DatasetError(f"{place}: expected an annotation within {MATCH_DISTANCE_MM} mm, found {nearest}")
        label = group.index[int(np.argmin(distances))]
        if matched[label] is not None:
            raise DatasetError(f"{place}: expected one row of ratings for a nodule, found two")
        matched[label] = row.malignancy_ratings
    return matched


def write_targets(targets: Targets, folder: Path) -> None:
    """Write series.parquet, nodules.parquet and exclusions.parquet into `folder`."""
    for name, contract in _FILES.items():
        write_table(getattr(targets, name), Path(folder) / f"{name}.parquet", contract)


def read_targets(folder: Path) -> Targets:
    """Read the tables of `write_targets`; raises ContractError with the file's name for an invalid table."""
    tables = {name: read_table(Path(folder) / f"{name}.parquet", contract) for name, contract in _FILES.items()}
    return Targets(**tables)


_FILES: dict[str, Contract] = {"series": SERIES, "nodules": NODULES, "exclusions": EXCLUSIONS}


def _read_known(
    root: Path, name: str, read: Callable[[Path], pd.DataFrame], subsets: Mapping[str, int]
) -> pd.DataFrame:
    table = read(root)
    check_known(root / name, table, subsets)
    return table


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
