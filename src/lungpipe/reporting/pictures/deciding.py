"""The whole slice of what decided each patient: the candidate with the highest risk."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lungpipe.geometry import Window
from lungpipe.geometry.slices import slice_number
from lungpipe.reporting.pictures.cut import Cut, data_uri, draw_circle
from lungpipe.reporting.pictures.findings import CANDIDATE, Picture, Places
from lungpipe.reporting.views import Colour, paint
from lungpipe.reporting.wording import number
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.volumes.store import open_volume

LUNGS: Colour = (70, 150, 255)
SLICE_PIXELS = 320
MAX_PATIENTS = 48
"""Slices on a page. Of more patients, those are shown whose malignancy contradicts their label most."""
_MARGIN_MM = 4.0


def draw_deciding(patients: pd.DataFrame, places: Places, limit: int = MAX_PATIENTS) -> dict[str, Any]:
    """Return the deciding slices of patients as JSON content: num_all, shown (with the patient's number, from 1).

    `patients` is the table PATIENTS. Patients without a deciding candidate have no slice.
    """
    numbered = patients.assign(number=np.arange(1, len(patients) + 1))
    decided = numbered[numbered["decided_series_uid"].notna()]
    chosen = decided.loc[_surprise(decided).sort_values(ascending=False, kind="stable").index[:limit]]
    shown = [
        {"number": int(row["number"]), **_draw(row, places).to_json()}
        for _, row in chosen.sort_values("number").iterrows()
    ]
    return {"num_all": len(decided), "shown": shown}


def draw_slice(
    cut: Cut,
    center_zyx_mm: tuple[float, float, float],
    diameter_mm: float,
    candidate: NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Return an axial slice with the lungs outlined in blue, and a yellow frame around the candidate.

    The outline of the candidate's mask (bool, zyx, on the cut's grid) is yellow; without a mask its circle is.
    """
    extent = max(size * step for size, step in zip(cut.grid.shape_zyx[1:], cut.grid.spacing_zyx_mm[1:], strict=True))
    view = cut.view("axial", center_zyx_mm, SLICE_PIXELS / extent)
    picture = paint(view.picture(cut.hu, cut.grid), view.outline(cut.lungs, cut.grid), LUNGS)
    radius = diameter_mm / 2.0 if np.isfinite(diameter_mm) else 3.0
    x, y = view.place(cut.grid.to_index(center_zyx_mm), cut.grid)
    reach = (radius + _MARGIN_MM) * view.scale
    ImageDraw.Draw(picture).rectangle((x - reach, y - reach, x + reach, y + reach), outline=CANDIDATE, width=2)
    if candidate is not None:
        return paint(picture, view.outline(candidate, cut.grid), CANDIDATE)
    draw_circle(picture, view, cut.grid, center_zyx_mm=center_zyx_mm, diameter_mm=diameter_mm, colour=CANDIDATE)
    return picture


def _draw(row: pd.Series, places: Places) -> Picture:
    series_uid = str(row["decided_series_uid"])
    store, scan = places.stores.get(series_uid), places.scan_of(series_uid)
    z, y, x = (float(row[f"decided_{name}"]) for name in CENTER_COLUMNS)
    if store is None:
        return Picture(None, _facts(row), scan, (z, y, x))
    volume = open_volume(store, series_uid)
    slices, rows, columns = volume.grid.shape_zyx
    chosen = slice_number(volume.grid, (z, y, x))
    window = Window((chosen - 1, 0, 0), (1, rows, columns))
    mask = places.candidate_in(window, series_uid, (z, y, x))
    drawn = draw_slice(Cut.read(volume, window), (z, y, x), float(row["decided_diameter_mm"]), mask)
    return Picture(data_uri(drawn), (*_facts(row), f"slice {chosen} of {slices}"), scan, (z, y, x))


def _facts(row: pd.Series) -> tuple[str, ...]:
    label = {1.0: "labelled malignant", 0.0: "labelled benign"}.get(row["is_malignant"], "without a label")
    diameter = row["decided_diameter_mm"]
    size = () if pd.isna(diameter) else (f"candidate of {float(diameter):.1f} mm",)
    return (f"malignancy {number(float(row['malignancy']), 2)}", label, *size)


def _surprise(patients: pd.DataFrame) -> pd.Series:
    """Return how far malignancy and label are apart; without a label, half the malignancy."""
    return (patients["malignancy"] - patients["is_malignant"]).abs().fillna(patients["malignancy"] / 2.0).fillna(-1.0)
