"""Points around which training windows are cut: nodules, mined candidates and random lung, one row each."""

import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates import label_candidates
from lungpipe.settings.recipe import DetectorSampling, ScorerSampling
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, POINTS, RATINGS
from lungpipe.volumes.store import open_volume

_COLUMNS = ["series_uid", *CENTER_COLUMNS]
NUM_READERS = 4
"""Volumes whose lung masks are read at the same time (some 50 MB each)."""


@dataclass(frozen=True, slots=True)
class ScorerTables:
    """Training data of a scorer: nodules, exclusions, mined candidates, malignancy by nodule_id (NaN: unknown).

    `ratings` is the table RATINGS.
    """

    nodules: pd.DataFrame
    exclusions: pd.DataFrame
    mined: pd.DataFrame
    malignancy: pd.Series
    ratings: pd.DataFrame = field(default_factory=RATINGS.empty)


def detector_points(
    volumes: Mapping[str, Path],
    nodules: pd.DataFrame,
    exclusions: pd.DataFrame,
    sampling: DetectorSampling,
    *,
    seed: int,
) -> pd.DataFrame:
    """Return the points (table POINTS) of a detector: the nodules in the volumes, and random points in the lungs.

    The tables may hold other series too. A random point inside a nodule counts as a nodule.
    """
    unrated = pd.Series(np.nan, nodules["nodule_id"], dtype=float)
    tables = ScorerTables(nodules, exclusions, CANDIDATES.empty(), unrated)
    points = _assemble(volumes, tables, sampling, seed)
    return POINTS.conform(points.drop(columns="is_ignored"))


def scorer_points(
    volumes: Mapping[str, Path], tables: ScorerTables, sampling: ScorerSampling, *, seed: int
) -> pd.DataFrame:
    """Return the points (table POINTS) of a scorer: nodules, mined candidates, and random points in the lungs.

    Mined candidates inside a nodule are positives in addition to the annotated centre, so the scorer is trained on
    nodules at positions that the detector finds. Points on excluded findings are left out.
    """
    points = _assemble(volumes, tables, sampling, seed)
    return POINTS.conform(points[~points["is_ignored"]].drop(columns="is_ignored"))


def _assemble(
    volumes: Mapping[str, Path], tables: ScorerTables, sampling: DetectorSampling | ScorerSampling, seed: int
) -> pd.DataFrame:
    series = list(volumes)
    nodules = tables.nodules[tables.nodules["series_uid"].isin(series)].reset_index(drop=True)
    is_inside, lungs, crops = _look_up(volumes, nodules, sampling.lung_points_per_scan, seed)
    parts = {
        "nodule": nodules.loc[is_inside, _COLUMNS],
        "candidate": tables.mined.loc[tables.mined["series_uid"].isin(series), _COLUMNS],
        "lung": lungs,
    }
    points = pd.concat([part.assign(kind=kind) for kind, part in parts.items()], ignore_index=True)
    labels = label_candidates(points, nodules, tables.exclusions)
    hit = labels.is_nodule
    nodule_row = labels.nodule_row[hit]
    points["nodule_id"] = pd.Series(nodules["nodule_id"].to_numpy()[nodule_row], np.flatnonzero(hit), dtype="str")
    points["diameter_mm"] = _where(hit, nodules["diameter_mm"].to_numpy()[nodule_row])
    points["is_nodule"] = np.where(labels.is_ignored, np.nan, hit.astype(float))
    points["malignancy"] = _where(hit, tables.malignancy[nodules["nodule_id"]].to_numpy()[nodule_row])
    is_crop = points["series_uid"].isin(crops)
    return points.assign(is_crop=is_crop, weight=1.0, is_ignored=labels.is_ignored)


def _where(is_known: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    column = np.full(len(is_known), np.nan)
    column[is_known] = values
    return column


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one volume gives: which of its nodules are inside, random lung points (N, 3), and the size of its lungs."""

    is_contained: NDArray[np.bool_]
    world_zyx_mm: NDArray[np.float64]
    lungs_mm3: float
    is_crop: bool


def _look_up(
    volumes: Mapping[str, Path], nodules: pd.DataFrame, lung_points: int, seed: int
) -> tuple[NDArray[np.bool_], pd.DataFrame, set[str]]:
    """Return whether each nodule is inside its volume, random lung points, and the series of the crops.

    A few threads read volumes. A volume is a crop if all of it counts as lung. In a dataset of crops and whole scans
    the whole scans get as many points per litre as the crops.
    """
    rows_of = nodules.groupby("series_uid").indices
    centers, is_inside = nodules[list(CENTER_COLUMNS)].to_numpy(), np.zeros(len(nodules), dtype=bool)

    def draw(series_uid: str, number: int, *stream: int) -> _Look:
        volume = open_volume(volumes[series_uid], series_uid)
        lungs = volume.read_lungs()
        # one seed per series: an added or changed scan does not change the points of other scans
        rng = np.random.default_rng([seed, zlib.crc32(series_uid.encode()), *stream])
        places = random_voxels(lungs, number, rng) if number else np.zeros((0, 3))
        # a centre outside the volume would label air as nodule
        is_contained = volume.grid.contains(centers[rows_of.get(series_uid, [])])
        lungs_mm3 = np.count_nonzero(lungs) * volume.grid.voxel_volume_mm3
        return _Look(is_contained, volume.grid.to_world(places), lungs_mm3, bool(lungs.all()))

    with ThreadPoolExecutor(NUM_READERS) as threads:
        looks = dict(zip(volumes, threads.map(lambda uid: draw(uid, lung_points), volumes), strict=True))
    for series_uid, rows in rows_of.items():
        is_inside[rows] = looks[series_uid].is_contained
    parts = {uid: [look.world_zyx_mm] for uid, look in looks.items()}
    for series_uid, number in _count_more(looks, lung_points).items():
        parts[series_uid].append(draw(series_uid, number, 1).world_zyx_mm)
    names = [uid for uid, points in parts.items() for part in points for _ in part]
    world = np.concatenate([np.zeros((0, 3)), *(part for points in parts.values() for part in points)])
    table = pd.DataFrame(world, columns=list(CENTER_COLUMNS))
    table.insert(0, "series_uid", pd.Series(names, dtype="str"))
    return is_inside, table, {uid for uid, look in looks.items() if look.is_crop}


def _count_more(looks: Mapping[str, _Look], lung_points: int) -> dict[str, int]:
    """Return how many lung points each whole scan beside crops gets in addition to `lung_points`."""
    crops_mm3 = [look.lungs_mm3 for look in looks.values() if look.is_crop]
    if not crops_mm3:
        return {}
    density = lung_points / float(np.median(crops_mm3))
    more = {uid: round(density * look.lungs_mm3) - lung_points for uid, look in looks.items() if not look.is_crop}
    return {uid: number for uid, number in more.items() if number > 0}


def random_voxels(mask: NDArray[np.uint8], num_voxels: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw voxels (N, 3) zyx of a mask uniformly and with replacement; no voxels if the mask is empty.

    The mask is counted slice by slice, so that no list of all its voxels (hundreds of megabytes) is made.
    """
    ends = np.cumsum([np.count_nonzero(plane) for plane in mask])
    if not ends[-1]:
        return np.zeros((0, 3), dtype=np.int64)
    voxels = np.empty((num_voxels, 3), dtype=np.int64)
    ranks = rng.integers(0, ends[-1], num_voxels)
    slices = np.searchsorted(ends, ranks, side="right")
    for index in np.unique(slices):
        rows = slices == index
        before = ends[index - 1] if index else 0
        flat = np.flatnonzero(mask[index])[ranks[rows] - before]
        voxels[rows, 0] = index
        voxels[rows, 1:] = np.stack(np.unravel_index(flat, mask.shape[1:]), axis=1)
    return voxels
