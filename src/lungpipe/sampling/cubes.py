"""Cubes around nodules, mined candidates and random lung: what the classifier learns from."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates import label_candidates
from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.geometry import window_around
from lungpipe.settings import ClassifierSettings
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, EXCLUSIONS, NODULES, read_table
from lungpipe.volumes.store import AIR_HU, open_volume


@dataclass(frozen=True, slots=True)
class Cubes:
    """Cubes `hu` (N, S, S, S) int16 zyx with their labels; malignancy is NaN where unknown or not a nodule."""

    hu: NDArray[np.int16]
    is_nodule: NDArray[np.bool_]
    malignancy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.is_nodule)


def cut_cubes(stores: Mapping[str, Path], points: pd.DataFrame, side_vox: int) -> NDArray[np.int16]:
    """Cut the cube of `side_vox` around every row's world centre, in the order of the rows.

    Raises:
        KeyError: a row of a series without a store.
    """
    cubes = np.empty((len(points), side_vox, side_vox, side_vox), np.int16)
    centers = points[list(CENTER_COLUMNS)].to_numpy()
    for series_uid, rows in points.reset_index(drop=True).groupby("series_uid").indices.items():
        volume = open_volume(stores[str(series_uid)])
        hu = volume.read_hu()
        for row, index in zip(rows, volume.grid.to_index(centers[rows]), strict=True):
            cubes[row] = window_around(index, (side_vox, side_vox, side_vox)).cut(hu, fill=AIR_HU)
    return cubes


@dataclass(frozen=True, slots=True)
class TrainingTables:
    """What the classifier is taught: nodules, exclusions, mined candidates, malignancy label by nodule_id (NaN)."""

    nodules: pd.DataFrame
    exclusions: pd.DataFrame
    mined: pd.DataFrame
    malignancy: pd.Series

    @classmethod
    def read(cls, paths: "TrainingPaths", rule: MalignancyRule) -> "TrainingTables":
        """Read the tables that `paths` names and label malignancy by the rule."""
        nodules = read_table(Path(paths.nodules), NODULES)
        labels = pd.Series(malignancy_labels(nodules["malignancy_ratings"], rule), nodules["nodule_id"])
        exclusions = read_table(Path(paths.exclusions), EXCLUSIONS)
        return cls(nodules, exclusions, read_table(Path(paths.mined), CANDIDATES), labels)


class TrainingPaths(Protocol):
    """Where the classifier's tables are."""

    nodules: str
    exclusions: str
    mined: str


def assemble_cubes(
    stores: Mapping[str, Path],
    tables: TrainingTables,
    settings: ClassifierSettings,
    *,
    seed: int,
) -> Cubes:
    """Cut the classifier's cubes for the given series: nodules, mined candidates, random lung positions.

    Mined candidates inside a nodule are positives beside its annotated centre: the classifier meets nodules where the
    segmenter puts them. Those on excluded findings are left out. A cube is larger than a patch by the largest offset.
    """
    series = list(stores)
    nodules = tables.nodules[tables.nodules["series_uid"].isin(series)].reset_index(drop=True)
    columns = ["series_uid", *CENTER_COLUMNS]
    points = pd.concat(
        [
            nodules.loc[_in_volume(stores, nodules), columns],
            tables.mined[tables.mined["series_uid"].isin(series)][columns],
            _random_lung(stores, settings.negatives_per_scan, seed),
        ],
        ignore_index=True,
    )
    labels = label_candidates(points, nodules, tables.exclusions)
    kept = ~labels.is_ignored
    malignancy = np.full(len(points), np.nan, dtype=np.float32)
    hit = labels.nodule_row >= 0
    malignancy[hit] = tables.malignancy[nodules["nodule_id"]].to_numpy()[labels.nodule_row[hit]]
    side = settings.patch_size_vox + 2 * settings.max_offset_vox
    return Cubes(cut_cubes(stores, points[kept], side), labels.is_nodule[kept], malignancy[kept])


def _in_volume(stores: Mapping[str, Path], nodules: pd.DataFrame) -> NDArray[np.bool_]:
    # a centre outside the volume would teach that air is a nodule
    centers, is_inside = nodules[list(CENTER_COLUMNS)].to_numpy(), np.zeros(len(nodules), dtype=bool)
    for series_uid, rows in nodules.groupby("series_uid").indices.items():
        is_inside[rows] = open_volume(stores[str(series_uid)]).grid.contains(centers[rows])
    return is_inside


def _random_lung(stores: Mapping[str, Path], per_scan: int, seed: int) -> pd.DataFrame:
    rows = []
    for series_uid, path in stores.items():
        volume = open_volume(path)
        lungs = np.argwhere(volume.read_lungs() > 0)
        if len(lungs):
            rng = np.random.default_rng([seed, zlib.crc32(series_uid.encode())])
            world = volume.grid.to_world(rng.choice(lungs, size=per_scan))
            rows += [(series_uid, *point) for point in world]
    # without any row the columns would hold objects
    return pd.DataFrame(rows, columns=["series_uid", *CENTER_COLUMNS]).astype(dict.fromkeys(CENTER_COLUMNS, float))
