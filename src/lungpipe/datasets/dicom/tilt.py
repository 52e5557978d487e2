"""Resample a series of a tilted gantry, whose slices shift sideways by equal lengths, to an upright volume."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.terms import AIR_HU

STRAIGHT_MM = 0.01
"""Slices may shift sideways by this much (mm), and by what rounding explains; more is a tilted gantry."""
UNEVEN_MM = 0.02
"""A tilted slice may differ this much (mm) from the even tilt, since positions have few decimals."""
MAX_TILT = 1.0
"""Largest sideways shift per distance (45 degrees); gantries tilt by up to 30 degrees."""
WANDER_PIXELS = 0.5
"""Slices that shift unevenly, but all by less than this, are read as straight slices, with a remark."""
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Rounding:
    """By how much the coordinates of positions (xyz, mm) and the cosines of orientations may be rounded."""

    positions_mm: NDArray[np.float64]
    cosines: float


def find_shift(
    slices: list[Slice], positions: NDArray[np.float64], axes: Axes, rounding: Rounding
) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Return by how much (mm) each slice shifts against the one before, along y and x, and remarks.

    The shift is 0 for slices that lie straight above each other within what rounding explains. `positions` (n, 3; xyz
    mm) are the slices' in order; `axes` are the unit vectors of row, column and normal (xyz).

    Raises:
        ScanError: a shift that is not the same from slice to slice, or steeper than any gantry.
    """
    row, column, normal = axes
    moved = positions - positions[0]
    advance = moved @ normal
    sideways = np.stack([moved @ column, moved @ row], axis=1)
    length = np.linalg.norm(sideways, axis=1)
    # two rounded positions are compared
    errors = rounding.positions_mm
    error = 2 * float(np.hypot(np.abs(column) @ errors, np.abs(row) @ errors))
    if (length <= STRAIGHT_MM + error + math.sqrt(3) * rounding.cosines * advance).all():
        return (0.0, 0.0), ()
    steps, start = np.polyfit(np.arange(len(slices)), sideways, 1)
    apart = np.linalg.norm(sideways - start - np.outer(np.arange(len(slices)), steps), axis=1)
    tilt = float(np.linalg.norm(steps)) * (len(slices) - 1) / float(advance[-1])
    is_even = apart.max() <= UNEVEN_MM + error
    if is_even and tilt <= MAX_TILT:
        return (float(steps[0]), float(steps[1])), ()
    if not is_even and length.max() <= WANDER_PIXELS * min(slices[0].header.PixelSpacing):
        return (0.0, 0.0), (f"slices lie up to {length.max():.2g} mm beside the first, unevenly; read as straight",)
    worst = int(np.argmax(length))
    found = f"found {length[worst]:.2f} mm of sideways shift over {advance[worst]:.2f} mm (tilted gantry)"
    if tilt <= MAX_TILT:
        found += f", up to {apart.max():.2f} mm beside an even tilt"
    raise ScanError(f"{slices[worst].where}: expected slices straight above each other, {found}")


def upright_grid(grid: Grid, shift_yx_mm: tuple[float, float]) -> Grid:
    """Return the upright grid that contains every slice of a sheared grid.

    `grid` is the sheared one as if its slices lay straight above the first; each shifts by `shift_yx_mm` against the
    one before, along the array axes y and x. Slices keep their planes and their pixels' spacing.
    """
    starts, sizes = zip(*(_span(grid, axis, step) for axis, step in enumerate(shift_yx_mm, start=1)), strict=True)
    z, y, x = grid.to_world((0, *starts)).tolist()
    return replace(grid, shape_zyx=(grid.shape_zyx[0], *sizes), origin_zyx_mm=(z, y, x))


def shear_upright(
    hu: NDArray[np.int16], grid: Grid, shift_yx_mm: tuple[float, float]
) -> tuple[NDArray[np.int16], Grid]:
    """Return HU (int16, zyx) and grid of the upright volume (see `upright_grid`): linear within slices, air outside.

    A shift by whole pixels keeps every value; a fraction of a pixel interpolates between two or four pixels.
    """
    target = upright_grid(grid, shift_yx_mm)
    upright = np.full(target.shape_zyx, AIR_HU, dtype=np.int16)
    for index, plane in enumerate(hu):
        values: NDArray[np.float32] = plane.astype(np.float32)
        is_inside = np.ones(target.shape_zyx[1:], dtype=bool)
        for axis, step in enumerate(shift_yx_mm):
            start = _span(grid, axis + 1, step)[0]
            place = (
                np.arange(target.shape_zyx[axis + 1], dtype=np.float64)
                + start
                - index * step / grid.spacing_zyx_mm[axis + 1]
            )
            values, is_known = _sample(values, place, axis)
            is_inside &= is_known[:, None] if axis == 0 else is_known
        upright[index][is_inside] = np.rint(values[is_inside])
    return upright, target


def _span(grid: Grid, axis: int, step_mm: float) -> tuple[int, int]:
    """Return the first index and the number of voxels that hold all slices along an axis."""
    last = (grid.shape_zyx[0] - 1) * step_mm / grid.spacing_zyx_mm[axis]
    # a shift of 3.0000000001 pixels needs no fourth
    first, end = math.floor(min(last, 0.0) + 1e-6), math.ceil(max(last, 0.0) - 1e-6)
    return first, grid.shape_zyx[axis] + end - first


def _sample(
    values: NDArray[np.float32], place: NDArray[np.float64], axis: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return values at fractional indices of an axis, linear, and which of them lie within half a pixel of a value."""
    last = values.shape[axis] - 1
    nearest = np.round(place)
    place = np.where(np.abs(place - nearest) < 1e-6, nearest, place)
    is_known = (place >= -0.5) & (place <= last + 0.5)
    clipped = np.clip(place, 0, last)
    lower = np.floor(clipped).astype(np.intp)
    share = (clipped - lower).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    upper = np.minimum(lower + 1, last)
    return np.take(values, lower, axis) * (1 - share) + np.take(values, upper, axis) * share, is_known
