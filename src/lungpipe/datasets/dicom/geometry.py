"""Compute one regular grid from positions and orientations of slices."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.dicom.rounding import MAX_COSINE_DECIMALS, fit_steps, rounding_error
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.dicom.tilt import Rounding, find_shift
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

DISTANCE_TOLERANCE = 0.05
"""Slice distances may differ from the median by this share (positions are written with few digits)."""
_LEAST_COSINE_ERROR = 5e-5
"""Direction cosines of fewer than four decimals are off by more only if their vectors are not of unit length."""
_SAME = ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient")


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices sorted along their normal, their grid, and the sideways shift of each slice.

    `shift_yx_mm` is the shift of a slice against the one before, along the array axes y and x: 0 unless the gantry was
    tilted. `grid` is that of slices straight above the first.
    """

    slices: list[Slice]
    grid: Grid
    shift_yx_mm: tuple[float, float]
    remarks: tuple[str, ...]

    @property
    def is_tilted(self) -> bool:
        """Return whether slices shift sideways."""
        return self.shift_yx_mm != (0.0, 0.0)


def stack_slices(folder: Path, slices: list[Slice]) -> Stack:
    """Return the slices sorted along their normal, and the regular grid that they form.

    Raises:
        ScanError: a single slice, slices of different grids or skewed ones, gaps, duplicates, or an uneven tilt.
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
    errors = np.array([rounding_error(item.header.ImagePositionPatient[k] for item in slices) for k in range(3)])
    distance, lift, remarks = _find_distance(folder, slices, positions @ normal, float(np.abs(normal) @ errors))
    spacing_y, spacing_x = _floats(first, "PixelSpacing", 2)
    rounding = Rounding(errors, _cosine_error(slices))
    shift, more = find_shift(slices, positions, (row, column, normal), rounding)
    size = [int(first.header.Columns), int(first.header.Rows), len(slices)]
    origin = (positions[0] + lift * normal).tolist()
    direction = np.stack([row, column, normal], axis=1).ravel().tolist()
    try:
        grid = Grid.from_xyz(size, [spacing_x, spacing_y, distance], origin, direction)
    except ValueError as error_of_grid:
        raise ScanError(f"{folder}: {error_of_grid}") from None
    return Stack(slices, grid, shift, (*remarks, *more))


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


def _cosine_error(slices: list[Slice]) -> float:
    """Return by how much the cosines of the slices' orientations may be off: by rounding, or from slice to slice."""
    cosines = np.array([_floats(item, "ImageOrientationPatient", 6) for item in slices])
    lengths = np.linalg.norm(cosines[0].reshape(2, 3), axis=1)
    # vectors of unit length have exact cosines, however few their decimals: 0.6 and 0.8
    rounded = min(
        rounding_error(cosines[0].tolist(), MAX_COSINE_DECIMALS),
        max(_LEAST_COSINE_ERROR, 2 * float(np.abs(lengths - 1).max())),
    )
    return max(rounded, float(np.ptp(cosines, axis=0).max()))


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
        return bool(expected == found)  # not numbers: an error names them later


def _name_both(one: Slice, other: Slice) -> str:
    """Name two slices, with their folders if the files' names are equal."""
    is_enough = one.name != other.name
    return f"{one.name} and {other.name}" if is_enough else f"{one.where} and {other.where}"


def _find_distance(
    folder: Path, slices: list[Slice], heights: NDArray[np.float64], error: float
) -> tuple[float, float, tuple[str, ...]]:
    """Return the distance of slices (mm), the height of the first above its position, and remarks."""
    if len(slices) < 2:
        raise ScanError(f"{folder}: expected at least two slices, found {len(slices)}")
    steps = np.diff(heights)
    # the lower of two middle steps, since a gap must not raise the expected step
    median = float(np.sort(steps)[(len(steps) - 1) // 2])
    regular = float((heights[-1] - heights[0]) / len(steps))
    for index, step in enumerate(steps):
        names = _name_both(slices[index], slices[index + 1])
        if step < 1e-3:
            raise ScanError(f"{folder}: expected slices at different positions, found {names} at {heights[index]:.3f}")
        if abs(step - median) > DISTANCE_TOLERANCE * median:
            fitted = fit_steps(heights, error) if 0 < error < median / 2 else None
            if fitted is None:
                raise ScanError(f"{folder}: expected slices {median:.3f} mm apart, found {step:.3f} mm between {names}")
            remark = f"slice positions are rounded: distances from {steps.min():.3g} to {steps.max():.3g} mm"
            return fitted[1], fitted[0] - float(heights[0]), (f"{remark} read as {fitted[1]:g} mm",)
    return regular, 0.0, ()
