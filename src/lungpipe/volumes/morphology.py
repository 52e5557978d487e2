"""Exact balls in millimetres by separable squared distances: fast for margins of a few voxels, whatever the spacing."""

from collections.abc import Sequence
from typing import Any, TypeVar

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray = NDArray[np.bool_]
Components = NDArray[np.uint32]
"""Labels of connected components, 0 for none, numbered from 1 in the order of their first voxels."""
Spacing = tuple[float, float, float]

Integer = TypeVar("Integer", bound=np.integer[Any])

_UNITS = 30000
"""Squared distances are counted in this many steps of the squared margin; a sum of two still fits 16 bits."""


def dilate_mm(mask: NDArray[np.generic], spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return every voxel (zyx) whose centre lies within `margin_mm` of the centre of a voxel that is not 0."""
    occupied: BoolArray = np.asarray(mask) != 0
    box = bounding_box(occupied, [int(margin_mm / s) for s in spacing_zyx_mm])
    if box is None or margin_mm <= 0:
        return occupied
    costs, limit, dtype = _step_costs(spacing_zyx_mm, margin_mm)
    distance = (~occupied[box]).astype(dtype) * dtype(limit + 1)
    for axis in range(3):
        distance = _reach(distance, axis, costs[axis], limit + 1)
    dilated = np.zeros_like(occupied)
    dilated[box] = distance <= limit
    return dilated


def erode_mm(mask: NDArray[np.generic], spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return the voxels (zyx) with no 0 within `margin_mm`; what lies beyond the array counts as not 0."""
    return ~dilate_mm(np.asarray(mask) == 0, spacing_zyx_mm, margin_mm)


def close_mm(mask: BoolArray, spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return the closing of a mask (zyx) by a ball, as if the array went on without end."""
    reach = [int(margin_mm / s) for s in spacing_zyx_mm]
    box = bounding_box(mask, (0, 0, 0))
    if box is None or max(reach) < 1:
        return mask
    room = np.pad(mask[box], [(r, r) for r in reach])
    filled = erode_mm(dilate_mm(room, spacing_zyx_mm, margin_mm), spacing_zyx_mm, margin_mm)
    closed = mask.copy()
    closed[box] |= filled[tuple(slice(r, n - r) for r, n in zip(reach, room.shape, strict=True))]
    return closed


def select(labels: Components, chosen: ArrayLike) -> BoolArray:
    """Return the mask of the chosen labels."""
    is_chosen = np.zeros(int(labels.max()) + 1, dtype=bool)
    is_chosen[np.asarray(chosen, dtype=int)] = True
    return is_chosen[labels]


def label_parts(mask: BoolArray) -> tuple[Components, int]:
    """Label the components (zyx) that are connected through faces; returns labels and their number."""
    labels, count = cc3d.connected_components(mask, connectivity=6, return_N=True, out_dtype=np.uint32)
    return labels.astype(np.uint32, copy=False), int(count)


def largest_part(mask: BoolArray) -> BoolArray:
    """Return the largest component (zyx) that is connected through faces."""
    labels, count = label_parts(mask)
    sizes = np.bincount(labels.ravel(), minlength=2)
    largest: BoolArray = labels == 1 + np.argmax(sizes[1:])
    return largest if count else mask


def label_planes(mask: BoolArray) -> tuple[Components, int]:
    """Label the components of every z slice on its own, connected through edges; returns labels and their number."""
    labels = np.zeros(mask.shape, dtype=np.uint32)
    total = 0
    for plane, target in zip(mask, labels, strict=True):
        parts, count = cc3d.connected_components(plane, connectivity=4, return_N=True, out_dtype=np.uint32)
        np.add(parts, total, out=target, where=plane)
        total += int(count)
    return labels, total


def fill_planes(mask: BoolArray, largest_vox: float) -> BoolArray:
    """Fill the holes of every z slice of a mask (zyx) that have no more than `largest_vox` voxels."""
    # a frame of background joins all that lies outside into one component for each slice
    framed = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    labels, _ = label_planes(~framed)
    is_hole = np.bincount(labels.ravel()) <= largest_vox
    is_hole[labels[:, 0, 0]] = is_hole[0] = False
    return mask | is_hole[labels][:, 1:-1, 1:-1]


def spread_labels(labels: NDArray[Integer]) -> NDArray[Integer]:
    """Return the largest label among each voxel (zyx) and its neighbours in a 3 x 3 x 3 box."""
    spread = labels
    for axis in range(3):
        line = np.moveaxis(spread, axis, 0)
        widest = line.copy()
        np.maximum(widest[1:], line[:-1], out=widest[1:])
        np.maximum(widest[:-1], line[1:], out=widest[:-1])
        spread = np.moveaxis(widest, 0, axis)
    return spread


def spread_planes(mask: BoolArray) -> BoolArray:
    """Return a mask (zyx) widened by its four neighbours in every z slice."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    wide[:, :, 1:] |= mask[:, :, :-1]
    wide[:, :, :-1] |= mask[:, :, 1:]
    return wide


def _reach(distance: NDArray[Integer], axis: int, costs: list[int], far: int) -> NDArray[Integer]:
    """Lower each voxel's squared distance to the least along its line plus the steps' cost, up to `far`."""
    nearest = distance.copy()
    size = distance.shape[axis]
    for step, cost in enumerate(costs[: size - 1], start=1):
        moved = distance + distance.dtype.type(cost)
        ahead = [slice(None)] * 3
        behind = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(step, None), slice(None, size - step)
        for target, source in ((tuple(ahead), tuple(behind)), (tuple(behind), tuple(ahead))):
            np.minimum(nearest[target], moved[source], out=nearest[target])
    return np.minimum(nearest, nearest.dtype.type(far), out=nearest)


def _step_costs(
    spacing_zyx_mm: Spacing, margin_mm: float
) -> tuple[list[list[int]], int, type[np.unsignedinteger[Any]]]:
    """Return squared lengths of 1, 2, ... steps along each axis in whole units, the margin's, and a dtype for sums."""
    steps = [int(margin_mm / spacing + 1e-9) for spacing in spacing_zyx_mm]
    squares = [[(k * s / margin_mm) ** 2 for k in range(1, n + 1)] for s, n in zip(spacing_zyx_mm, steps, strict=True)]
    cubic = int((margin_mm / spacing_zyx_mm[0]) ** 2 + 1e-9)
    if len(set(spacing_zyx_mm)) == 1 and cubic < 127:
        # cubic voxels: squared steps are whole numbers, and bytes hold them
        return [[k * k for k in range(1, n + 1)] for n in steps], cubic, np.uint8
    return [[int(square * _UNITS) for square in line] for line in squares], _UNITS, np.uint16


def bounding_box(mask: BoolArray, margin: Sequence[int]) -> tuple[slice, ...] | None:
    """Return the box (zyx) of a mask, widened by `margin` voxels within the array; none for an empty mask."""
    # over planes first: whole slices are joined at once
    projection: BoolArray = np.any(mask, axis=0)
    lines = (mask.any(axis=(1, 2)), projection.any(axis=1), projection.any(axis=0))
    if not lines[0].any():
        return None
    places = [np.flatnonzero(line) for line in lines]
    return tuple(
        slice(max(int(place[0]) - reach, 0), int(place[-1]) + reach + 1)
        for place, reach in zip(places, margin, strict=True)
    )
