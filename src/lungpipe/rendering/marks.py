"""Nodules of a rendering: position, diameter, and the malignancy that gives the colour."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungpipe.geometry.grid import Triple
from lungpipe.tables.csv_input import CsvFormat, read_csv
from lungpipe.tables.errors import InputError

UNKNOWN_MM = 10.0
"""Diameter of a mark without one, or with LUNA16's negative diameter, which says that the diameter is unknown."""
_FORMAT = CsvFormat(
    ("seriesuid",), ("coordX", "coordY", "coordZ"), optional_numbers=("diameter_mm", "probability", "malignancy")
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A nodule or candidate: world centre (LPS mm), diameter (mm), and malignancy (0 to 1; None: unknown)."""

    center_zyx_mm: Triple
    diameter_mm: float
    malignancy: float | None = None


def read_marks(path: Path, series_uid: str, *, threshold: float = 0.0) -> tuple[Mark, ...]:
    """Return the rows of a series in a CSV (seriesuid, coordX, coordY, coordZ, optionally diameter_mm and malignancy).

    Rows with a `probability` below the threshold are left out.

    Raises:
        InputError: naming file, row and column; no row of the series.
    """
    table = read_csv(path, _FORMAT)
    own = table[table["seriesuid"] == series_uid]
    if not len(own):
        raise InputError(f"{path}: expected rows of the series {series_uid}, found none in {len(table)} rows")
    if "malignancy" in own and not own["malignancy"].between(0, 1).all():
        row = int((~own["malignancy"].between(0, 1)).idxmax())
        found = f"{own['malignancy'][row]:g}"
        raise InputError(f"{path}, row {row + 1}, column malignancy: expected 0 to 1, found {found}")
    if "probability" in own:
        own = own[own["probability"] >= threshold]
    diameters = own["diameter_mm"].to_numpy() if "diameter_mm" in own else np.full(len(own), -1.0)
    malignancy = own["malignancy"].tolist() if "malignancy" in own else [None] * len(own)
    centers = own[["coordZ", "coordY", "coordX"]].to_numpy()
    return tuple(
        Mark((float(z), float(y), float(x)), float(diameter) if diameter > 0 else UNKNOWN_MM, value)
        for (z, y, x), diameter, value in zip(centers, diameters, malignancy, strict=True)
    )


def malignancy_colour(malignancy: float | None) -> tuple[float, float, float]:
    """Return the colour (red, green, blue; 0 to 1): blue for 0, yellow for 1/2, red for 1, and grey for unknown.

    The colours are those of the palette of Okabe and Ito, which colour-blind readers tell apart.
    """
    if malignancy is None:
        return (0.5, 0.5, 0.5)
    stops = np.array([(0.0, 0.447, 0.698), (0.941, 0.894, 0.259), (0.835, 0.369, 0.0)])
    red, green, blue = (float(np.interp(malignancy, (0.0, 0.5, 1.0), channel)) for channel in stops.T)
    return (red, green, blue)
