"""Masks of candidates: the network's, or a ball; and their voxels on any other grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates import MaskCrop
from lungpipe.candidates.group import own_lump
from lungpipe.geometry import Grid, sphere_mask


@dataclass(frozen=True, slots=True)
class NoduleMask:
    """The mask of one candidate on a volume's grid, and whether the network gave it."""

    crop: MaskCrop
    is_of_network: bool


def mask_of(crop: MaskCrop | None, grid: Grid, center_zyx_mm: NDArray[np.float64], diameter_mm: float) -> NoduleMask:
    """Return a candidate's mask: the lump of the network's mask at the centre (zyx mm, see `own_lump`), or a ball."""
    lump = None if crop is None else own_lump(crop, grid, center_zyx_mm, diameter_mm)
    if lump is not None:
        return NoduleMask(lump, True)
    return NoduleMask(_ball(grid, center_zyx_mm, diameter_mm), False)


def paint_nodules(
    labels: NDArray[np.uint16], grid: Grid, masks: Sequence[MaskCrop], source: Grid, *, is_every_one: bool = True
) -> None:
    """Write the number of each mask (from 1) into `labels` (zyx, on `grid`), where `labels` is still 0.

    `masks` are on the grid `source`; a voxel belongs to a mask if the nearest voxel of `source` does. With
    `is_every_one` a mask that holds no voxel centre gets the voxel nearest to its middle.
    """
    for number, crop in enumerate(masks, start=1):
        box = _box_on(grid, crop, source)
        part = labels[box]
        if part.size:
            is_inside = _lies_in(grid, box, crop, source)
            is_free = is_inside & (part == 0)
            part[is_free] = number
            if is_free.any() or not is_every_one:
                continue
        elif not is_every_one:
            continue
        voxel = tuple(
            np.clip(np.round(grid.to_index(_middle(crop, source))), 0, np.subtract(labels.shape, 1)).astype(int)
        )
        labels[voxel] = number


def span_on(grid: Grid, crop: MaskCrop, source: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and last index (zyx) on `grid` that the centres of a mask's voxels reach, within the grid."""
    world = source.to_world(np.argwhere(crop.mask) + np.asarray(crop.start_zyx_vox))
    index = np.clip(np.round(grid.to_index(world)), 0, np.subtract(grid.shape_zyx, 1)).astype(np.intp)
    return index.min(axis=0), index.max(axis=0)


def _box_on(grid: Grid, crop: MaskCrop, source: Grid) -> tuple[slice, slice, slice]:
    # half a voxel of `source` around the mask, whose outermost voxels fill that much
    low, high = np.asarray(crop.start_zyx_vox) - 0.5, np.asarray(crop.start_zyx_vox) + crop.mask.shape - 0.5
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    index = grid.to_index(source.to_world(corners))
    first = np.clip(np.floor(index.min(axis=0)).astype(int), 0, grid.shape_zyx)
    end = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, first, grid.shape_zyx)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, end, strict=True))
    return (z, y, x)


def _lies_in(grid: Grid, box: tuple[slice, slice, slice], crop: MaskCrop, source: Grid) -> NDArray[np.bool_]:
    axes = [np.arange(side.start, side.stop) for side in box]
    world = grid.to_world(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    index = np.round(source.to_index(world)).astype(int) - np.asarray(crop.start_zyx_vox)
    is_within = np.all((index >= 0) & (index < crop.mask.shape), axis=-1)
    inside = np.zeros(is_within.shape, dtype=bool)
    inside[is_within] = crop.mask[tuple(index[is_within].T)]
    return inside


def _middle(crop: MaskCrop, source: Grid) -> NDArray[np.float64]:
    return source.to_world(np.argwhere(crop.mask).mean(axis=0) + np.asarray(crop.start_zyx_vox))


def _ball(grid: Grid, center_zyx_mm: NDArray[np.float64], diameter_mm: float) -> MaskCrop:
    index = grid.to_index(center_zyx_mm)
    reach = diameter_mm / 2.0 / np.asarray(grid.spacing_zyx_mm) + 1.0
    low = np.clip(np.floor(index - reach).astype(int), 0, np.subtract(grid.shape_zyx, 1))
    high = np.clip(np.ceil(index + reach).astype(int) + 1, low + 1, grid.shape_zyx)
    (z, y, x), (depth, height, width) = low.tolist(), (high - low).tolist()
    origin = grid.to_world(low)
    local = Grid((depth, height, width), grid.spacing_zyx_mm, (origin[0], origin[1], origin[2]), grid.direction_zyx)
    mask = sphere_mask(local, center_zyx_mm, diameter_mm)
    if not mask.any():
        mask[tuple(np.clip(np.round(index).astype(int) - low, 0, np.subtract(mask.shape, 1)))] = True
    return MaskCrop((z, y, x), mask)
