"""Tiles of a search region: boxes around its parts, cut so that little outside the region is computed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Window
from lungpipe.settings.recipe import DetectorInference

Box = tuple[slice, slice, slice]

MIDDLE = 1 / 3
LEAST_GAIN = 0.02
"""A box that could be one tile is cut only if this part of its voxels need not be computed: every cut has seams."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: the core (zyx voxels) that is kept, and the window that is read and computed."""

    core: Box
    window: Window


def lay_tiles(region: NDArray[np.bool_], inference: DetectorInference, stride: int) -> tuple[Tile, ...]:
    """Return tiles whose cores hold every voxel of the region (mask, zyx) once.

    The box around the region is cut in two, each part shrinks to the box around its part of the region, and is cut
    again, until every window (the core and `halo_vox` on each side) has at most `tile_size_vox`^3 voxels and no cut
    saves voxels. Of all cuts the one is chosen that leaves the fewest voxels to compute. Sides and places are multiples
    of the network's total `stride`; the last cores may extend beyond the volume.
    """
    whole = box_around(region, stride)
    if whole is None:
        return ()
    limits = (inference.halo_vox // stride, (inference.tile_size_vox // stride) ** 3)
    blocks = _blocks(region[whole], stride)
    start = [side.start for side in whole]
    return tuple(_tile(part, start, stride, inference.halo_vox) for part in _cut(blocks, _full(blocks), limits))


def box_around(region: NDArray[np.bool_], stride: int) -> Box | None:
    """Return the smallest box (zyx) with sides at multiples of `stride` around the region; None without a region."""
    sides = []
    for axis in range(3):
        filled = np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(filled):
            return None
        low, high = int(filled[0]), int(filled[-1]) + 1
        sides.append(slice(low // stride * stride, -(-high // stride) * stride))
    z, y, x = sides
    return (z, y, x)


def _cut(blocks: NDArray[np.bool_], box: Box, limits: tuple[int, int]) -> Iterator[Box]:
    """Yield the parts of a box (zyx blocks) that has no empty border; `limits`: halo, and the largest window."""
    halo, largest = limits
    filled = blocks[box]
    alone = int(np.prod([side + 2 * halo for side in filled.shape]))
    share = MIDDLE if alone > largest else 0.0
    costs = [(*_best_cut(filled, axis, halo, share), axis) for axis, side in enumerate(filled.shape) if side > 1]
    least, _, place, axis = min(costs, default=(alone, 0, 0, 0))
    if alone <= largest and least > (1.0 - LEAST_GAIN) * alone:
        yield box
        return
    for half in (slice(0, place), slice(place, filled.shape[axis])):
        part = [slice(0, side) for side in filled.shape]
        part[axis] = half
        inner = box_around(filled[tuple(part)], 1)
        if inner is None:
            raise AssertionError("a box without an empty border has no empty half")
        low = [outer.start + cut.start for outer, cut in zip(box, part, strict=True)]
        z, y, x = (slice(a + side.start, a + side.stop) for a, side in zip(low, inner, strict=True))
        yield from _cut(blocks, (z, y, x), limits)


def _best_cut(filled: NDArray[np.bool_], axis: int, halo: int, share: float) -> tuple[int, int, int]:
    """Return the fewest blocks of two windows instead of one, the distance of the cut from the middle, its place."""
    moved = np.moveaxis(filled, axis, 0)
    costs = _window_sizes(moved, halo)[:-1] + _window_sizes(moved[::-1], halo)[-2::-1]
    places = np.arange(1, len(moved))
    from_middle = np.abs(2 * places - len(moved))
    costs = np.where(from_middle <= max((1.0 - 2.0 * share) * len(moved), 1.0), costs, np.iinfo(np.int64).max)
    best = int(np.lexsort((from_middle, costs))[0])
    return int(costs[best]), int(from_middle[best]), int(places[best])


def _window_sizes(filled: NDArray[np.bool_], halo: int) -> NDArray[np.int64]:
    """Return the blocks of the window around the first 1, 2, ... layers of a box without an empty border."""
    sizes = np.maximum.accumulate(np.where(filled.any(axis=(1, 2)), np.arange(1, len(filled) + 1), 0)) + 2 * halo
    for other in (1, 2):
        seen = np.logical_or.accumulate(filled.any(axis=3 - other), axis=0)
        sizes = sizes * (seen.shape[1] - seen.argmax(axis=1) - seen[:, ::-1].argmax(axis=1) + 2 * halo)
    return sizes


def _blocks(region: NDArray[np.bool_], stride: int) -> NDArray[np.bool_]:
    padded = np.pad(region, [(0, -size % stride) for size in region.shape])
    z, y, x = (size // stride for size in padded.shape)
    return np.asarray(padded.reshape(z, stride, y, stride, x, stride).any(axis=(1, 3, 5)))


def _full(blocks: NDArray[np.bool_]) -> Box:
    z, y, x = blocks.shape
    return (slice(0, z), slice(0, y), slice(0, x))


def _tile(part: Box, start: list[int], stride: int, halo: int) -> Tile:
    low = [first + stride * side.start for first, side in zip(start, part, strict=True)]
    high = [first + stride * side.stop for first, side in zip(start, part, strict=True)]
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    window = Window(
        (z.start - halo, y.start - halo, x.start - halo),
        (z.stop - z.start + 2 * halo, y.stop - y.start + 2 * halo, x.stop - x.start + 2 * halo),
    )
    return Tile((z, y, x), window)
