"""From slices' positions and orientations to one regular grid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

DISTANCE_TOLERANCE = 0.05
"""Slice distances may differ from their median by this share of it (positions are written with few digits)."""
TILT_TOLERANCE = 0.01
"""Slices may shift sideways by this share of the distance they advance; more is a tilted gantry."""
_SAME = ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient")


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a series and its header: a file, or one frame (from 0) of a file with many."""

    path: Path
    header: Dataset
    frame: int | None = None

    @property
    def name(self) -> str:
        """Name the slice within its folder."""
        return self.path.name + self._suffix

    @property
    def where(self) -> str:
        """Name the slice with its folder."""
        return str(self.path) + self._suffix

    @property
    def _suffix(self) -> str:
        return "" if self.frame is None else f" frame {self.frame + 1}"


def stack_grid(folder: Path, slices: list[Slice]) -> tuple[list[Slice], Grid]:
    """Return the slices sorted along their normal, and the grid that they form.

    Raises:
        ScanError: a single slice, slices of different grids or skewed ones, gaps, duplicates, or a tilted gantry.
    """
    first = slices[0]
    for item in slices[1:]:
        _check_same(first, item)
    row, column = _unit(first, 0), _unit(first, 3)
    if abs(float(row @ column)) > 1e-3:
        found = _floats(first, "ImageOrientationPatient", 6)
        raise ScanError(f"{first.where}: ImageOrientationPatient: expected perpendicular vectors, found {found}")
    normal = np.cross(row, column)
    positions = np.array([_floats(item, "ImagePositionPatient", 3) for item in slices])
    order = np.argsort(positions @ normal, kind="stable")
    slices, positions = [slices[i] for i in order], positions[order]
    distance = _check_distances(folder, slices, positions @ normal)
    _check_tilt(slices, positions, normal)
    spacing_y, spacing_x = _floats(first, "PixelSpacing", 2)
    size = [int(first.header.Columns), int(first.header.Rows), len(slices)]
    direction = np.stack([row, column, normal], axis=1).ravel().tolist()
    try:
        return slices, Grid.from_xyz(size, [spacing_x, spacing_y, distance], positions[0].tolist(), direction)
    except ValueError as error:
        raise ScanError(f"{folder}: {error}") from None


def _floats(item: Slice, key: str, count: int) -> list[float]:
    try:
        values = [float(value) for value in item.header[key].value]
    except (TypeError, ValueError):
        values = []
    if len(values) != count or not np.all(np.isfinite(values)):
        raise ScanError(f"{item.where}: {key}: expected {count} finite numbers, found {item.header[key].value}")
    return values


def _unit(item: Slice, start: int) -> NDArray[np.float64]:
    vector = np.array(_floats(item, "ImageOrientationPatient", 6)[start : start + 3])
    length = float(np.linalg.norm(vector))
    if abs(length - 1.0) > 1e-3:
        raise ScanError(f"{item.where}: ImageOrientationPatient: expected unit vectors, found length {length:.4f}")
    return vector / length


def _check_same(first: Slice, item: Slice) -> None:
    for key in _SAME:
        expected, found = first.header[key].value, item.header[key].value
        if not _is_same(expected, found):
            raise ScanError(f"{item.where}: {key}: expected {expected} as in {first.name}, found {found}")


def _is_same(expected: Any, found: Any) -> bool:
    if np.shape(expected) != np.shape(found):
        return False
    try:
        return bool(np.allclose(np.asarray(expected, float), np.asarray(found, float), atol=1e-4))
    except ValueError:
        return bool(expected == found)  # no numbers: named where they are used


def _check_distances(folder: Path, slices: list[Slice], heights: NDArray[np.float64]) -> float:
    if len(slices) < 2:
        raise ScanError(f"{folder}: expected at least two slices, found {len(slices)}")
    steps = np.diff(heights)
    # the lower of two middle steps: a gap is a longer step, and must not pull the expected one up
    median = float(np.sort(steps)[(len(steps) - 1) // 2])
    for index, step in enumerate(steps):
        names = f"{slices[index].name} and {slices[index + 1].name}"
        if step < 1e-3:
            raise ScanError(f"{folder}: expected slices at different positions, found {names} at {heights[index]:.3f}")
        if abs(step - median) > DISTANCE_TOLERANCE * median:
            raise ScanError(f"{folder}: expected slices {median:.3f} mm apart, found {step:.3f} mm between {names}")
    return float((heights[-1] - heights[0]) / len(steps))


def _check_tilt(slices: list[Slice], positions: NDArray[np.float64], normal: NDArray[np.float64]) -> None:
    moved = positions - positions[0]
    advance = moved @ normal
    sideways = np.linalg.norm(moved - advance[:, None] * normal, axis=1)
    worst = int(np.argmax(sideways - TILT_TOLERANCE * advance))
    if sideways[worst] > TILT_TOLERANCE * advance[worst] + 1e-2:
        raise ScanError(
            f"{slices[worst].where}: expected slices straight above each other, found {sideways[worst]:.2f} mm of"
            f" sideways shift over {advance[worst]:.2f} mm (tilted gantry)"
        )
