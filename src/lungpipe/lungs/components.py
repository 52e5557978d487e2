"""Connected components of masks, in space or slice by slice, and the neighbours of voxels."""

from collections.abc import Callable
from typing import Any, TypeVar

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.lungs.morphology import BoolArray

Components = NDArray[np.uint32]
"""Labels of connected components, 0 for none, numbered from 1 in the order of their first voxels."""

Integer = TypeVar("Integer", bound=np.integer[Any])


def select(labels: Components, chosen: ArrayLike) -> BoolArray:
    """Return the mask of the chosen labels."""
    is_chosen = np.zeros(int(labels.max()) + 1, dtype=bool)
    is_chosen[np.asarray(chosen, dtype=int)] = True
    return is_chosen[labels]


def find_boxes(labels: Components) -> list[tuple[slice, slice, slice]]:
    """Return the smallest box (zyx) around each of the labels 1 to the largest, all of which must exist."""
    boxes: list[tuple[slice, slice, slice]] = cc3d.statistics(labels)["bounding_boxes"][1:]
    return boxes


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


def keep_in_planes(mask: BoolArray, choose: Callable[[int, NDArray[Any]], BoolArray]) -> BoolArray:
    """Return the chosen components (through edges) of every z slice of a mask (zyx).

    `choose` gets the slice's index and its labels (yx; 0 none), and returns for each label whether it is kept.
    """
    kept = np.zeros_like(mask)
    # slice by slice, so that labels and tables stay in the cache
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        labels = cc3d.connected_components(mask[index], connectivity=4)
        is_kept = choose(int(index), labels)
        is_kept[0] = False
        np.take(is_kept, labels, out=kept[index], mode="clip")
    return kept


def fill_planes(mask: BoolArray, largest_vox: float) -> BoolArray:
    """Fill the holes of every z slice of a mask (zyx) that have no more than `largest_vox` voxels."""
    # a frame of background makes everything outside one component of each slice, which is component 1
    framed = np.pad(mask, ((0, 0), (1, 1), (1, 1)))

    def choose(_: int, labels: NDArray[Any]) -> BoolArray:
        is_hole: BoolArray = np.bincount(labels.ravel(), minlength=2) <= largest_vox
        is_hole[labels[0, 0]] = False
        return is_hole

    return mask | keep_in_planes(~framed, choose)[:, 1:-1, 1:-1]


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
