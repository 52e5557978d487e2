"""Make the table of ratings from readings: one row per annotated nodule, with LUNA16's columns."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.geometry import Grid
from lungpipe.lidc.match import NoduleGroup, group_nodules, match_groups, match_heights
from lungpipe.lidc.pixel_map import PixelMap, fit_pixel_map
from lungpipe.lidc.xml import CHARACTERISTICS, Reading
from lungpipe.tables import CENTER_COLUMNS, RATING_COLUMNS, write_csv

_COLUMN_OF = {name: RATING_COLUMNS[re.sub(r"([A-Z])", r"_\1", name).lower()] for name in CHARACTERISTICS}
"""Column of each characteristic by its name in the XML."""
_REASONS = {
    "scan": "no reader rated a nodule there",
    "exclusions": "no reader rated a nodule there",
    "z": "no scan and no excluded findings place the reading, and z alone does not tell which nodule it is",
    "no reading": "no reading of the series",
}
_LUNA16_COLUMNS = {"center_x_mm": "coordX", "center_y_mm": "coordY", "center_z_mm": "coordZ"}


@dataclass(frozen=True, slots=True, eq=False)
class RatedNodules:
    """Each annotation's readers' nodules (None without a match), and the source of their positions."""

    annotations: pd.DataFrame
    groups: list[NoduleGroup | None]
    sources: list[str]
    """`scan`, `exclusions`, `z` (matched by height alone) or `no reading`, one per annotation"""


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Sources of world positions of a reading: native grids of scans, and LUNA16's excluded findings."""

    grids: Mapping[str, Grid] = field(default_factory=dict)
    exclusions: pd.DataFrame | None = None

    def place(self, reading: Reading) -> PixelMap:
        """Return the best map: of the scan, else of the excluded findings, else the nominal map."""
        if reading.series_uid in self.grids:
            return PixelMap.from_grid(self.grids[reading.series_uid])
        fitted = None
        if self.exclusions is not None:
            fitted = fit_pixel_map(reading, self.exclusions[self.exclusions["series_uid"] == reading.series_uid])
        return fitted or PixelMap.nominal()


def rate_nodules(annotations: pd.DataFrame, readings: Mapping[str, Reading], anchors: Anchors) -> RatedNodules:
    """Match readings to annotations (columns of `read_annotations`) by series and world position."""
    table = annotations.reset_index(drop=True)
    groups: list[NoduleGroup | None] = [None] * len(table)
    sources = ["no reading"] * len(table)
    for uid, rows in table.groupby("series_uid", sort=False):
        if uid not in readings:
            continue
        pixels = anchors.place(readings[uid])
        is_placed = pixels.source != "nominal"
        match = match_groups if is_placed else match_heights
        centers = rows[list(CENTER_COLUMNS)].to_numpy(dtype=np.float64)
        found = match(group_nodules(readings[uid], pixels), centers, rows["diameter_mm"].to_numpy(dtype=np.float64))
        for row, group in zip(rows.index, found, strict=True):
            groups[row], sources[row] = group, pixels.source if is_placed else "z"
    return RatedNodules(table, groups, sources)


def ratings_table(rated: RatedNodules) -> pd.DataFrame:
    """Return LUNA16's columns, the nine characteristics ("4;3;5", in the order of readers) and position_source.

    Only nodules that some reader rated have a row.
    """
    has_row = [group is not None and bool(group.ratings("malignancy")) for group in rated.groups]
    kept = rated.annotations[has_row]
    columns = {"seriesuid": kept["series_uid"]} | {
        luna16: kept[name] for name, luna16 in (*_LUNA16_COLUMNS.items(), ("diameter_mm", "diameter_mm"))
    }
    groups = [group for group, is_kept in zip(rated.groups, has_row, strict=True) if group is not None and is_kept]
    for name in ("malignancy", *(other for other in CHARACTERISTICS if other != "malignancy")):
        columns[_COLUMN_OF[name]] = [";".join(map(str, group.ratings(name))) for group in groups]
    columns["position_source"] = [source for source, is_kept in zip(rated.sources, has_row, strict=True) if is_kept]
    return pd.DataFrame(columns).reset_index(drop=True)


def unrated(rated: RatedNodules) -> Iterator[str]:
    """Yield one line for each annotation without ratings: series, position and why."""
    for row, group, source in zip(rated.annotations.itertuples(), rated.groups, rated.sources, strict=True):
        if group is not None and group.ratings("malignancy"):
            continue
        place = f"({row.center_x_mm:.1f}, {row.center_y_mm:.1f}, {row.center_z_mm:.1f}) mm"
        yield f"series {row.series_uid}, nodule at {place}: {_REASONS[source]}"


def write_ratings(rated: RatedNodules, path: Path) -> None:
    """Write the table of ratings as CSV, atomically."""
    write_csv(ratings_table(rated), path)
