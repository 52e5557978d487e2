"""Hits, misses and false positives in three planes, with the outlines of annotation, candidate and mask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lungpipe.candidates.mask_table import find_mask, join_mask_tables
from lungpipe.geometry import Window, window_around
from lungpipe.geometry.slices import slice_number
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.examples import Example, Examples, Kind
from lungpipe.reporting.pictures.cut import Cut, Point, crop_in, data_uri, draw_circle, read_mask_on
from lungpipe.reporting.views import PLANES, Colour, Plane, beside, paint
from lungpipe.tables import CANDIDATE_MASKS
from lungpipe.volumes.store import open_volume

FIELD_MM = 48.0
PIXELS_PER_MM = 4.0
ANNOTATION: Colour = (86, 180, 233)
CANDIDATE: Colour = (240, 170, 30)
MASK: Colour = (225, 120, 190)


@dataclass(frozen=True, slots=True)
class Places:
    """What pictures are made from: store and nodule mask of each series, candidates' masks, the patient's row.

    `masks` are nodule masks of the dataset. `candidate_masks` has the contract CANDIDATE_MASKS; empty without masks.
    `patient_of` is the row of each series' patient on the page.
    """

    stores: Mapping[str, Path]
    masks: Mapping[str, Path]
    patient_of: Mapping[str, int]
    subset_of: Mapping[str, int]
    candidate_masks: pd.DataFrame = field(default_factory=CANDIDATE_MASKS.empty)

    @classmethod
    def of(
        cls,
        stored: StoredEvaluation,
        series: pd.DataFrame,
        stores: Mapping[str, Path],
        masks: Iterable[Path],
        *,
        candidate_masks: Sequence[pd.DataFrame] = (),
    ) -> "Places":
        """Return the places of an evaluation's scans.

        `series` is the table SERIES, `masks` are headers of the dataset's masks, `candidate_masks` the tables
        CANDIDATE_MASKS of all folds.
        """
        patients = zip(stored.patients["patient_id"], stored.patients["fold"], strict=True)
        row_of = {patient: row for row, patient in enumerate(patients, start=1)}
        # a patient may have scans in the subsets of two folds, and then has a row for each
        owners = zip(series["series_uid"], series["patient_id"], series["subset"], strict=True)
        known = {uid: row_of[patient, subset] for uid, patient, subset in owners if (patient, subset) in row_of}
        headers = {path.stem: path for path in masks if path.suffix == ".mhd"}
        return cls(stores, headers, known, stored.subset_of, join_mask_tables(candidate_masks))

    def name(self, series_uid: str) -> str:
        """Return the place of a scan without its identifier: `fold 3, patient 7`."""
        number = self.patient_of.get(series_uid)
        return f"fold {self.subset_of[series_uid]}" + (f", patient {number}" if number is not None else "")

    def scan_of(self, series_uid: str) -> int:
        """Return the row of a scan in evaluation/series.csv, from 1 below the headings."""
        return list(self.subset_of).index(series_uid) + 1

    def candidate_in(self, window: Window, series_uid: str, center_zyx_mm: Point) -> NDArray[np.bool_] | None:
        """Return the mask of a candidate in a window of its volume; None for a candidate without a mask."""
        crop = find_mask(self.candidate_masks, series_uid, center_zyx_mm)
        return None if crop is None else crop_in(window, crop)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Masks in a part of a volume (bool, zyx): of the dataset's nodules, and of the candidate; None where unknown."""

    dataset: NDArray[np.bool_] | None = None
    candidate: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a data URI (None: a scan without a volume) and the lines below the picture.

    `scan` is the row of the scan in series.csv, from 1; `center_zyx_mm` (LPS mm) is the place in a viewer page.
    """

    image: str | None
    lines: tuple[str, ...]
    scan: int
    center_zyx_mm: Point

    def to_json(self) -> dict[str, Any]:
        """Return the picture as JSON content; the place as a viewer page reads it: x,y,z in LPS mm."""
        place = ",".join(f"{value:.2f}" for value in reversed(self.center_zyx_mm))
        return {"image": self.image, "lines": list(self.lines), "scan": self.scan, "place": place}


def draw_gallery(examples: Examples, places: Places) -> dict[str, Any]:
    """Return the pictures of one kind of finding as JSON content: kind, num_all, shown."""
    shown = [_draw(examples.kind, example, places) for example in examples.shown]
    return {
        "kind": examples.kind,
        "num_all": examples.num_all,
        "shown": [picture.to_json() for picture in shown],
    }


def draw_planes(example: Example, cut: Cut, outlines: Outlines) -> Image.Image:
    """Return the axial, coronal and sagittal plane through a finding beside each other.

    Blue circle: annotation. Yellow: outline of the candidate's mask, or the circle of a candidate without a mask. Pink
    outline: the dataset's nodule mask.
    """
    planes = [_draw_plane(plane, example, cut, outlines) for plane in PLANES]
    height = max(picture.height for picture in planes)
    return beside([_padded(picture, height) for picture in planes], 4)


def _draw(kind: Kind, example: Example, places: Places) -> Picture:
    store = places.stores.get(example.series_uid)
    name, scan, center = places.name(example.series_uid), places.scan_of(example.series_uid), example.candidate_zyx_mm
    if store is None:
        return Picture(None, (*_facts(kind, example), name), scan, center)
    volume = open_volume(store, example.series_uid)
    index = volume.grid.to_index(example.center_zyx_mm)
    z, y, x = (max(1, round(FIELD_MM / step)) for step in volume.grid.spacing_zyx_mm)
    window = window_around(index, (z, y, x))
    cut = Cut.read(volume, window)
    path = places.masks.get(example.series_uid)
    outlines = Outlines(
        None if path is None else read_mask_on(path, cut.grid),
        places.candidate_in(window, example.series_uid, center),
    )
    place = f"{name}, slice {slice_number(volume.grid, example.center_zyx_mm)} of {volume.grid.shape_zyx[0]}"
    return Picture(data_uri(draw_planes(example, cut, outlines)), (*_facts(kind, example), place), scan, center)


def _draw_plane(plane: Plane, example: Example, cut: Cut, outlines: Outlines) -> Image.Image:
    view = cut.view(plane, example.center_zyx_mm, PIXELS_PER_MM)
    picture = view.picture(cut.hu, cut.grid)
    for mask, colour in ((outlines.dataset, MASK), (outlines.candidate, CANDIDATE)):
        if mask is not None:
            picture = paint(picture, view.outline(mask, cut.grid), colour)
    is_candidate = example.mark_center_zyx_mm is None and example.probability is not None
    spheres = [(example.center_zyx_mm, example.diameter_mm, CANDIDATE if is_candidate else ANNOTATION)]
    if example.mark_center_zyx_mm is not None:
        spheres.append((example.mark_center_zyx_mm, example.mark_diameter_mm, CANDIDATE))
    for center, diameter, colour in spheres:
        if colour == CANDIDATE and outlines.candidate is not None:
            continue
        draw_circle(picture, view, cut.grid, center_zyx_mm=center, diameter_mm=diameter, colour=colour)
    return picture


def _facts(kind: Kind, example: Example) -> tuple[str, ...]:
    """Return what a reader wants to know of the finding: probability, diameters, distance (mm)."""
    if kind == "misses":
        return (f"annotated {example.diameter_mm:.1f} mm", "no candidate inside")
    probability = f"probability {example.probability:.2f}"
    if example.mark_center_zyx_mm is None:
        return (
            (probability, f"candidate of {example.diameter_mm:.1f} mm")
            if isfinite(example.diameter_mm)
            else (probability,)
        )
    offset = np.subtract(example.mark_center_zyx_mm, example.center_zyx_mm)
    found = f", found {example.mark_diameter_mm:.1f} mm" if isfinite(example.mark_diameter_mm) else ""
    distance = f"{float(np.linalg.norm(offset)):.1f} mm from the annotated centre"
    return (f"{probability}, annotated {example.diameter_mm:.1f} mm{found}", distance)


def _padded(picture: Image.Image, height: int) -> Image.Image:
    if picture.height == height:
        return picture
    padded = Image.new("RGB", (picture.width, height))
    padded.paste(picture, (0, (height - picture.height) // 2))
    return padded
