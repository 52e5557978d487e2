"""Viewer pages of a finished study: of every scan in the galleries of its report, with all its candidates."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.candidates.mask_table import find_mask
from lungpipe.geometry import Grid
from lungpipe.geometry.slices import slice_number
from lungpipe.prediction.privacy import digest_of_name
from lungpipe.reporting.examples import pick_examples
from lungpipe.reporting.pictures.findings import Places
from lungpipe.reporting.viewer_pages import ANY_PAGE, LISTING, page_name
from lungpipe.tables import CENTER_COLUMNS, write_json
from lungpipe.viewer.listed import MAX_MARKS
from lungpipe.viewer.page import write_page
from lungpipe.viewer.scene import Mark, Scene, as_bytes, describe_voxels
from lungpipe.volumes.store import open_volume


@dataclass(frozen=True, slots=True, eq=False)
class ShownStudy:
    """What the pages are made from: fates of all findings (table MATCHES), candidates (SCORED), places of scans."""

    matches: pd.DataFrame
    scored: pd.DataFrame
    places: Places


def write_study_pages(
    study: ShownStudy, limit: int, folder: Path, *, threads: int = 1, on_page: Callable[[str], None]
) -> list[int]:
    """Write the pages and their listing into a folder; return the rows of the scans in series.csv, from 1.

    A scan has a page if it has one of the `limit` findings of a kind in the galleries, and a volume. Pages of an
    earlier run that are not wanted any more are removed. `on_page` is called with one line per page.
    """
    shown = {example.series_uid for kind in pick_examples(study.matches, limit) for example in kind.shown}
    wanted = {study.places.scan_of(uid): uid for uid in shown if uid in study.places.stores}
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(ANY_PAGE):
        if path.name not in {page_name(scan) for scan in wanted}:
            path.unlink()
    for scan, series_uid in sorted(wanted.items()):
        write_page(scene_of_series(study, series_uid), folder / page_name(scan), threads=threads)
        on_page(f"{page_name(scan)}: {(folder / page_name(scan)).stat().st_size / 1e6:.0f} MB")
    write_json(folder / LISTING, {"scans": sorted(wanted)})
    return sorted(wanted)


def scene_of_series(study: ShownStudy, series_uid: str) -> Scene:
    """Return the stored volume of a series with lungs, candidates and their masks, most probable first."""
    volume = open_volume(study.places.stores[series_uid], series_uid)
    own = study.scored[study.scored["series_uid"] == series_uid]
    rows = own.sort_values("probability", ascending=False, kind="stable").head(MAX_MARKS).to_dict("records")
    numbers = np.zeros(volume.grid.shape_zyx, dtype=np.uint16)
    for number, row in enumerate(rows, start=1):
        crop = find_mask(study.places.candidate_masks, series_uid, _center(row))
        if crop is not None:
            z, y, x = (slice(at, at + size) for at, size in zip(crop.start_zyx_vox, crop.mask.shape, strict=True))
            part = numbers[z, y, x]
            part[crop.mask & (part == 0)] = number
    return Scene(
        hu=volume.read_hu(),
        grid=volume.grid,
        scan_grid=volume.grid,
        digest=digest_of_name(series_uid),
        lungs=volume.read_lungs(),
        nodules=as_bytes(numbers) if numbers.any() else None,
        marks=tuple(_mark(row, number, volume.grid) for number, row in enumerate(rows, start=1)),
        threshold=0.5,
        notes=(f"{describe_voxels(volume.grid)} Slices are those of the stored volume.",),
    )


def _mark(row: dict[object, object], number: int, grid: Grid) -> Mark:
    center = _center(row)
    return Mark(
        number=number,
        center_zyx_mm=center,
        slice_number=slice_number(grid, center),
        probability=_known(row["probability"]),
        diameter_mm=_known(row["diameter_mm"]),
        malignancy=_known(row["malignancy"]),
    )


def _center(row: dict[object, object]) -> tuple[float, float, float]:
    z, y, x = (float(str(row[name])) for name in CENTER_COLUMNS)
    return z, y, x


def _known(value: object) -> float | None:
    return None if pd.isna(value) else float(str(value))
