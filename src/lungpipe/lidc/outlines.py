"""Compute pixels, centre and size enclosed by readers' outlines, and the consensus mask on a scan's grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.lidc.xml import Contour, Reading, ReadingError, ReadNodule

MAX_OFF_SLICE = 0.25
"""An outline may differ from its slice by this share of the slice distance (z is written with few digits)."""


@dataclass(frozen=True, slots=True)
class Outlined:
    """The region enclosed by one reader's outlines: centre (z mm, y and x pixels), pixels in all and per slice."""

    center: tuple[float, float, float]
    num_pixels: int
    max_slice_pixels: int


def enclosed_pixels(contour: Contour) -> tuple[tuple[int, int], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return corner (y, x), the mask (yx) of the pixels inside the outline, and the mask of the outline itself.

    An outline's pixels are the first ones outside, so none of them is inside.
    """
    low, high = contour.edge_yx_vox.min(axis=0), contour.edge_yx_vox.max(axis=0)
    edge = np.zeros(high - low + 1, dtype=bool)
    rows, columns = (contour.edge_yx_vox - low).T
    edge[rows, columns] = True
    inside = _even_odd(contour.edge_yx_vox - low, edge.shape) & ~edge
    return (int(low[0]), int(low[1])), inside, edge


def slice_masks(nodule: ReadNodule) -> dict[float, tuple[tuple[int, int], NDArray[np.bool_]]]:
    """Return, for every z (mm) with an outline, corner (y, x) and mask (yx) of the nodule's pixels.

    Exclusions remove the enclosed pixels and the pixels of their own outline, in agreement with LUNA16's positions.
    """
    masks = {}
    for z_mm in sorted({contour.z_mm for contour in nodule.contours}):
        here = [contour for contour in nodule.contours if contour.z_mm == z_mm]
        low = np.min([contour.edge_yx_vox.min(axis=0) for contour in here], axis=0)
        high = np.max([contour.edge_yx_vox.max(axis=0) for contour in here], axis=0)
        mask = np.zeros(high - low + 1, dtype=bool)
        # inclusions first, whatever their order in the file
        for contour in sorted(here, key=lambda item: not item.is_inclusion):
            corner, inside, edge = enclosed_pixels(contour)
            top, left = corner[0] - low[0], corner[1] - low[1]
            part = mask[top : top + edge.shape[0], left : left + edge.shape[1]]
            if contour.is_inclusion:
                part |= inside
            else:
                part &= ~(inside | edge)
        masks[z_mm] = ((int(low[0]), int(low[1])), mask)
    return masks


def measure(nodule: ReadNodule) -> Outlined:
    """Return centre and size of the region that a nodule's outlines enclose; of the outlines if the region is empty."""
    masks = slice_masks(nodule)
    points = [
        np.column_stack([np.full(int(mask.sum()), z_mm), np.argwhere(mask) + corner])
        for z_mm, (corner, mask) in masks.items()
    ]
    pixels = np.concatenate(points)
    if not len(pixels):
        pixels = np.concatenate([np.insert(item.edge_yx_vox * 1.0, 0, item.z_mm, axis=1) for item in nodule.contours])
        return Outlined(_triple(pixels.mean(axis=0)), 0, 1)
    return Outlined(_triple(pixels.mean(axis=0)), len(pixels), max(len(part) for part in points))


def consensus_mask(nodules: Sequence[ReadNodule], grid: Grid, agreement: float = 0.5) -> NDArray[np.bool_]:
    """Return the mask (grid's shape, zyx) of the voxels that at least `agreement` of the nodule's readers enclosed.

    `nodules` are the outlines of one physical nodule, one per reader; `grid` is the native one of the scan they read,
    whose array axes y and x are those of the pixels, with slices along z.

    Raises:
        ReadingError: an outline beyond the grid, or between its slices.
    """
    votes = np.zeros(grid.shape_zyx, dtype=np.uint8)
    for nodule in nodules:
        for z_mm, ((top, left), mask) in slice_masks(nodule).items():
            index = _slice_index(grid, z_mm, nodule)
            bottom, right = top + mask.shape[0], left + mask.shape[1]
            if bottom > grid.shape_zyx[1] or right > grid.shape_zyx[2]:
                found = f"an outline up to pixel y {bottom - 1}, x {right - 1}"
                raise ReadingError(f"nodule {nodule.name}: expected outlines within {grid.shape_zyx} (zyx), {found}")
            votes[index, top:bottom, left:right] += mask
    return (votes > 0) & (votes >= agreement * len(nodules))


def check_slices(reading: Reading, grid: Grid) -> None:
    """Raise ReadingError for an outline on no slice of the scan, also if no mask needs the outline."""
    try:
        for nodule in reading.nodules:
            for contour in nodule.contours:
                _slice_index(grid, contour.z_mm, nodule)
    except ReadingError as error:
        raise ReadingError(f"{reading.source}, series {reading.series_uid}, {error}") from None


def check_upright(grid: Grid) -> Grid:
    """Return a grid whose axes are those of the body, flipped or not; raises ValueError for any other.

    Outlines have z in mm and y, x in pixels, which fit together only on such a grid.
    """
    if not np.allclose(np.abs(grid.direction_zyx), np.eye(3), atol=1e-3):
        raise ValueError(f"expected a scan whose axes lie along z, y and x, found the direction {grid.direction_zyx}")
    return grid


def _slice_index(grid: Grid, z_mm: float, nodule: ReadNodule) -> int:
    origin, direction = grid.origin_zyx_mm[0], check_upright(grid).direction_zyx[0][0]
    index = (z_mm - origin) / (direction * grid.spacing_zyx_mm[0])
    nearest = round(index)
    if not 0 <= nearest < grid.shape_zyx[0] or abs(index - nearest) > MAX_OFF_SLICE:
        raise ReadingError(f"nodule {nodule.name}: expected outlines on slices of the scan, found one at z {z_mm:g} mm")
    return nearest


def _even_odd(edge: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels (yx) an even-odd count of the closed polygon's crossings puts inside."""
    start, stop = edge, np.roll(edge, -1, axis=0)
    is_steep = start[:, 0] != stop[:, 0]
    start, stop = start[is_steep], stop[is_steep]
    rows, columns = (np.arange(size)[:, None] for size in shape)
    is_crossed = (start[:, 0] > rows) != (stop[:, 0] > rows)
    slope = (stop[:, 1] - start[:, 1]) / (stop[:, 0] - start[:, 0])
    crossing = start[:, 1] + (rows - start[:, 0]) * slope
    beyond = is_crossed[:, None, :] & (columns[None] < crossing[:, None, :])
    inside: NDArray[np.bool_] = beyond.sum(axis=-1) % 2 == 1
    return inside


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return (z, y, x)
