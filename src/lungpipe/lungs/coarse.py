"""Reduce a scan to the coarse grid on which lungs are found, and bring labels back to the full grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.geometry.downsampling import block_mean
from lungpipe.lungs.components import spread_labels
from lungpipe.lungs.morphology import BoolArray, bounding_box

CELLS = 160
"""The coarse spacing is the longest side of the field of view divided by this number (2.2 mm for 350 mm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """Mean HU (int16, along +z, +y, +x) on the coarse grid, its spacing, and fine voxels per coarse voxel and axis."""

    hu: NDArray[np.int16]
    spacing_zyx_mm: tuple[float, float, float]
    factors: tuple[int, int, int]


def orient(array: NDArray[np.int16], grid: Grid) -> NDArray[np.int16]:
    """Return a view whose axes are nearest to +z, +y, +x of the world."""
    order, flips = _nearest_axes(grid)
    return array.transpose(order)[flips]


def restore(array: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Undo `orient`: return a view along the grid's axes."""
    order, flips = _nearest_axes(grid)
    return np.ascontiguousarray(array[flips].transpose(np.argsort(order)))


def coarsen(view: NDArray[np.int16], grid: Grid) -> Coarse:
    """Return block means of an oriented view; an incomplete last block repeats its edge."""
    order, _ = _nearest_axes(grid)
    spacing = [grid.spacing_zyx_mm[axis] for axis in order]
    z, y, x = _coarse_factors(view.shape, spacing)
    return Coarse(block_mean(view, (z, y, x)), (spacing[0] * z, spacing[1] * y, spacing[2] * x), (z, y, x))


def count_cells(grid: Grid) -> int:
    """Return the number of voxels of the coarse grid."""
    factors = _coarse_factors(grid.shape_zyx, grid.spacing_zyx_mm)
    return math.prod(-(-size // factor) for size, factor in zip(grid.shape_zyx, factors, strict=True))


def _coarse_factors(shape: Sequence[int], spacing_mm: Sequence[float]) -> list[int]:
    target = max(size * step for size, step in zip(shape, spacing_mm, strict=True)) / CELLS
    return [max(int(target / step + 0.25), 1) for step in spacing_mm]


def refine(
    labels: NDArray[np.uint8],
    is_air: BoolArray,
    view: NDArray[np.int16],
    *,
    factors: tuple[int, int, int],
    limit_hu: int,
) -> NDArray[np.uint8]:
    """Return labels (uint8) of the fine view: the coarse labels, with their border at full resolution.

    Near the border a fine voxel gets the label if darker than `limit_hu`. Voxels that the closing filled (labelled,
    but not air) and air outside the lungs are not changed.
    """
    fine = np.zeros(view.shape, dtype=np.uint8)
    box = bounding_box(labels != 0, (1, 1, 1))
    if box is None:
        return fine
    labels, is_air = labels[box], is_air[box]
    near = spread_labels(labels)
    is_rim = (near != 0) & (labels == 0) & ~is_air
    is_edge = (labels != 0) & is_air & spread_labels((labels == 0).view(np.uint8)).view(np.bool_)
    # a fine voxel gets the label of its coarse voxel if not brighter than the coarse voxel's limit
    label = np.where(is_rim, near, labels)
    limit = np.where(is_rim | is_edge, np.int16(limit_hu - 1), np.iinfo(np.int16).max)
    target = tuple(slice(s.start * f, s.stop * f) for s, f in zip(box, factors, strict=True))
    view, found = view[target], fine[target]
    for index, (plane, limits) in enumerate(zip(label, limit, strict=True)):
        rows = slice(index * factors[0], (index + 1) * factors[0])
        is_dark = view[rows] <= _repeat(limits, factors, view.shape)
        np.multiply(is_dark, _repeat(plane, factors, view.shape), out=found[rows])
    return fine


def _repeat(plane: NDArray[Any], factors: tuple[int, int, int], shape: tuple[int, ...]) -> NDArray[Any]:
    return plane.repeat(factors[2], axis=1)[:, : shape[2]].repeat(factors[1], axis=0)[: shape[1]]


def _nearest_axes(grid: Grid) -> tuple[tuple[int, ...], tuple[slice, ...]]:
    """Return, for world z, y, x, the nearest array axis, and the flips that make these axes ascending."""
    matrix = np.asarray(grid.direction_zyx)
    best = max(_PERMUTATIONS, key=lambda order: sum(abs(matrix[world, axis]) for world, axis in enumerate(order)))
    flips = tuple(slice(None, None, -1 if matrix[world, axis] < 0 else 1) for world, axis in enumerate(best))
    return best, flips


_PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
