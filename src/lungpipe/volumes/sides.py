"""Tell the left lung from the right, and both from gas elsewhere in the body."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.volumes.morphology import BoolArray, Components, Spacing, erode_mm, label_parts, select, spread_labels

Labels = NDArray[np.uint8]

LEFT, RIGHT, _GAS = 1, 2, 3
EROSIONS_VOX = (0.0, 1.0, 1.5, 2.3, 3.2, 4.5)
"""Radii tried to cut lungs that touch, in voxels of the coarse grid (2.2 mm in an adult)."""
MIN_SECOND = 0.1
"""The smaller lung must have this share of the larger one's volume to be told apart by size alone."""
MIN_PART = 0.003
"""Smaller parts than this share of the lungs are dropped."""
MIN_CORE = 0.1
"""Parts with a smaller share of voxels off their surface are slits, as between the back and the table."""
GAS_HU = -940.0
"""Parts whose inside is darker on average are gas in stomach, bowel or folds, not lung."""


def split_sides(hu: NDArray[np.int16], air: BoolArray, spacing_zyx_mm: Spacing, middle_x_vox: float) -> Labels:
    """Return the lungs (uint8, zyx; 1 where x is larger, 2 where smaller) among the air inside the body.

    `hu` and `air` run along +z, +y, +x. Lungs that touch are eroded until they part; where they do not, the body's
    middle parts them. A single lung keeps the label of its side.
    """
    if not air.any():
        return np.zeros(air.shape, dtype=np.uint8)
    for radius in EROSIONS_VOX:
        # a hair more than the radius: whole voxels count
        eroded = erode_mm(air, spacing_zyx_mm, 1.01 * radius * max(spacing_zyx_mm[1:])) if radius else air
        parts, count = label_parts(eroded)
        if not count:
            break
        main = _find_main(hu, parts, middle_x_vox)
        if main:
            seeds = _label_main(parts, main, middle_x_vox)
            if radius:
                seeds[_find_gas(hu, parts, main)] = _GAS
                seeds = _grow(seeds, air)
            return _add_parts(hu, air, seeds, middle_x_vox)
    return _add_parts(hu, air, _cut(air, middle_x_vox), middle_x_vox)


def _cut(air: BoolArray, middle_x_vox: float) -> Labels:
    """Cut the largest part in the body's middle."""
    labels = np.zeros(air.shape, dtype=np.uint8)
    parts, count = label_parts(air)
    if count:
        largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        labels[largest] = RIGHT
        half = round(middle_x_vox)
        labels[:, :, half:][largest[:, :, half:]] = LEFT
    return labels


def _find_main(hu: NDArray[np.int16], parts: Components, middle_x_vox: float) -> tuple[int, ...]:
    """Return the labels of one or two lungs, or nothing where the largest part still holds both."""
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = [int(part) for part in np.argsort(sizes)[::-1][:4] if sizes[part]]
    lungs = [part for part in largest if hu[parts == part].mean() >= GAS_HU]
    # all of it so dark: emphysema, not gas
    first, *others = lungs or largest
    profile = (parts == first).sum(axis=(0, 1))
    share_left = float(profile[round(middle_x_vox) :].sum()) / float(sizes[first])
    if min(share_left, 1 - share_left) > 0.2:
        return ()
    side = share_left > 0.5
    for second in others:
        if sizes[second] < MIN_SECOND * sizes[first]:
            break
        columns = (parts == second).sum(axis=(0, 1))
        if (columns @ np.arange(len(columns)) / columns.sum() > middle_x_vox) != side:
            return (first, second)
    return (first,)


def _label_main(parts: Components, main: tuple[int, ...], middle_x_vox: float) -> Labels:
    centers = [_center_x(parts == label) for label in main]
    labels = np.zeros(parts.shape, dtype=np.uint8)
    for label, center in zip(main, centers, strict=True):
        is_left = center > middle_x_vox if len(main) == 1 else center == max(centers)
        labels[parts == label] = LEFT if is_left else RIGHT
    return labels


def _find_gas(hu: NDArray[np.int16], parts: Components, main: tuple[int, ...]) -> BoolArray:
    """Return the parts that are gas and not tiny: they hold their ground where the lungs grow back."""
    sizes = np.bincount(parts.ravel())
    least = MIN_PART * sizes[list(main)].sum()
    others = [part for part in range(1, len(sizes)) if part not in main and sizes[part] >= least]
    return select(parts, [part for part in others if hu[parts == part].mean() < GAS_HU])


def _grow(labels: Labels, air: BoolArray) -> Labels:
    """Grow all labels back into the air, voxel by voxel, so that they meet in the middle; gas is dropped then."""
    num_labelled = 0
    while num_labelled < (num_labelled := int(np.count_nonzero(labels))):
        reached = np.zeros_like(labels)
        for axis in range(3):
            grown, known = np.moveaxis(reached, axis, 0), np.moveaxis(labels, axis, 0)
            np.maximum(grown[1:], known[:-1], out=grown[1:])
            np.maximum(grown[:-1], known[1:], out=grown[:-1])
        labels = np.where(air & (labels == 0), reached, labels)
    return np.where(labels == _GAS, 0, labels).astype(np.uint8)


def _add_parts(hu: NDArray[np.int16], air: BoolArray, labels: Labels, middle_x_vox: float) -> Labels:
    """Add the lung-like rest: parts that are not tiny, not flat and not gas, on the side where they lie."""
    rest = air & (labels == 0)
    parts, _ = label_parts(rest)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    core = rest & (spread_labels((~rest).view(np.uint8)) == 0)
    planes = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    added = labels.copy()
    if not planes.size:
        return added
    # lungs are most of the air; where next to nothing was found, crumbs are not the rest of it
    least = MIN_PART * max(np.count_nonzero(labels), np.count_nonzero(air) / 2)
    for part in np.flatnonzero(sizes >= least):
        mask = parts == part
        inner = mask & core
        heights = np.flatnonzero(mask.any(axis=(1, 2)))
        is_level = planes[0] <= (heights[0] + heights[-1]) / 2 <= planes[-1]
        is_thick = np.count_nonzero(inner) >= MIN_CORE * sizes[part]
        if is_level and is_thick and hu[inner].mean() >= GAS_HU:
            added[mask] = LEFT if _center_x(mask) > middle_x_vox else RIGHT
    return added


def _center_x(mask: BoolArray) -> float:
    columns = mask.sum(axis=(0, 1))
    return float(columns @ np.arange(len(columns)) / columns.sum())
