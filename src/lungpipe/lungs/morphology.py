"""Dilation and closing with exact balls (mm) on masks packed to 64 voxels per word."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Spacing = tuple[float, float, float]
Words = NDArray[np.uint64]
"""A mask (x / 64, z, y): bit k of the n-th word of a line is its voxel 64 n + k."""

_TOLERANCE = 1e-9
"""Tolerance, so that 3 x 0.1 mm reaches a margin of 0.3 mm in spite of rounding."""


def dilate_mm(mask: NDArray[np.generic], spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return all voxels (zyx) whose centre is within `margin_mm` of the centre of a voxel that is not 0."""
    occupied: BoolArray = np.asarray(mask) != 0
    box = bounding_box(occupied, [int(margin_mm / s) + 1 for s in spacing_zyx_mm])
    if box is None or margin_mm <= 0:
        return occupied
    dilated = np.zeros_like(occupied)
    part = occupied[box]
    dilated[box] = unpack(_dilate(pack(part), spacing_zyx_mm, margin_mm), part.shape[2])
    return dilated


def erode_mm(mask: NDArray[np.generic], spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return the voxels (zyx) with no 0 within `margin_mm`; voxels outside the array count as not 0."""
    return ~dilate_mm(np.asarray(mask) == 0, spacing_zyx_mm, margin_mm)


def close_mm(mask: BoolArray, spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Return the closing of a mask (zyx) by a ball, as if the array had no border."""
    reach = [int(margin_mm / s) + 1 for s in spacing_zyx_mm]
    box = bounding_box(mask, (0, 0, 0))
    if box is None or margin_mm <= 0:
        return mask
    room = np.pad(mask[box], [(r, r) for r in reach])
    # the bits after the last voxel of a line become background, as everything outside
    outside = ~_dilate(pack(room), spacing_zyx_mm, margin_mm)
    filled = ~unpack(_dilate(outside, spacing_zyx_mm, margin_mm), room.shape[2])
    closed = mask.copy()
    closed[box] |= filled[tuple(slice(r, n - r) for r, n in zip(reach, room.shape, strict=True))]
    return closed


def bounding_box(mask: BoolArray, margin: Sequence[int]) -> tuple[slice, ...] | None:
    """Return the box (zyx) of a mask, widened by `margin` voxels within the array; None for an empty mask."""
    # along z first: whole slices are combined at once
    projection: BoolArray = np.any(mask, axis=0)
    lines = (mask.any(axis=(1, 2)), projection.any(axis=1), projection.any(axis=0))
    if not lines[0].any():
        return None
    places = [np.flatnonzero(line) for line in lines]
    return tuple(
        slice(max(int(place[0]) - reach, 0), int(place[-1]) + reach + 1)
        for place, reach in zip(places, margin, strict=True)
    )


def pack(mask: BoolArray) -> Words:
    """Return the bits of a mask (zyx)."""
    packed = np.packbits(mask, axis=2, bitorder="little")
    missing = -packed.shape[2] % 8
    words = np.pad(packed, ((0, 0), (0, 0), (0, missing))).view("<u8")
    return np.ascontiguousarray(words.transpose(2, 0, 1))


def unpack(words: Words, num_x: int) -> BoolArray:
    """Return the mask (zyx) of packed bits."""
    lines = np.ascontiguousarray(words.transpose(1, 2, 0)).view(np.uint8)
    return np.unpackbits(lines, axis=2, count=num_x, bitorder="little").view(np.bool_)


def spread_x(words: Words) -> Words:
    """Return packed bits joined with their neighbours before and behind along x."""
    spread = words << np.uint64(1)
    spread |= words
    spread |= words >> np.uint64(1)
    spread[1:] |= words[:-1] >> np.uint64(63)
    spread[:-1] |= words[1:] << np.uint64(63)
    return spread


def spread_faces(words: Words) -> Words:
    """Return packed bits joined with their six neighbours."""
    spread = spread_x(words)
    for whole, part in ((spread, words), (spread.transpose(0, 2, 1), words.transpose(0, 2, 1))):
        whole[:, 1:] |= part[:, :-1]
        whole[:, :-1] |= part[:, 1:]
    return spread


def _dilate(words: Words, spacing: Spacing, margin_mm: float) -> Words:
    """Combine shifted lines, each widened along x by the ball's half width at that shift."""
    widened = [words]
    dilated = np.zeros_like(words)
    num_z = words.shape[1]
    for z, widths in zip(range(num_z), _half_widths(spacing, margin_mm), strict=False):
        while len(widened) <= widths[0]:
            widened.append(spread_x(widened[-1]))
        planes = widened[widths[0]].copy() if len(widths) > 1 else widened[widths[0]]
        for y, width in enumerate(widths[1:], start=1):
            planes[:, :, y:] |= widened[width][:, :, :-y]
            planes[:, :, :-y] |= widened[width][:, :, y:]
        dilated[:, z:] |= planes[:, : num_z - z]
        dilated[:, : num_z - z] |= planes[:, z:]
    return dilated


def _half_widths(spacing: Spacing, margin_mm: float) -> Iterator[list[int]]:
    """Yield, for each step along z, the ball's half width along x in whole voxels at each step along y."""
    reach = margin_mm * (1 + _TOLERANCE)
    for z in range(int(reach / spacing[0]) + 1):
        radius = math.sqrt(max(reach**2 - (z * spacing[0]) ** 2, 0.0))
        lines = range(int(radius / spacing[1]) + 1)
        yield [int(math.sqrt(max(radius**2 - (y * spacing[1]) ** 2, 0.0)) / spacing[2]) for y in lines]
