"""Resample axis by axis between grids with parallel axes, in a fraction of SimpleITK's time."""

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid

ALIGNED_TOLERANCE = 1e-7
"""Directions that differ by more are oblique; over 500 mm this limit is 0.00005 mm."""


SIGMAS = 4.0
"""A Gaussian is cut off at this many standard deviations; the rest is less than a ten-thousandth."""


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """For each target index of one axis: source voxels (taps, indices), their weights, and whether the point is inside.

    Like SimpleITK, a point is inside up to half a voxel beyond the outermost centres, and has their value there.
    """

    voxels: NDArray[np.intp]
    weights: NDArray[np.float32]
    is_inside: NDArray[np.bool_]


def match_axes(source: Grid, target: Grid) -> tuple[int, int, int] | None:
    """Return, for each axis of `target`, the parallel axis of `source` (in either direction); None if oblique."""
    cosines = np.abs(np.asarray(source.direction_zyx).T @ np.asarray(target.direction_zyx))
    axes = np.argmax(cosines, axis=0)
    expected = np.zeros((3, 3))
    expected[axes, range(3)] = 1.0
    if len(set(axes)) < 3 or not np.allclose(cosines, expected, rtol=0, atol=ALIGNED_TOLERANCE):
        return None
    return int(axes[0]), int(axes[1]), int(axes[2])


def resample_along_axes(
    values: NDArray[np.int16],
    source: Grid,
    target: Grid,
    *,
    fill: int,
    sigma_zyx_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    threads: int = 1,
) -> NDArray[np.int16]:
    """Return `values` (zyx, on `source`) on `target` (int16, zyx), linear, rounded to the nearest; `fill` outside.

    The values are smoothed before with a Gaussian along the source's axes (`sigma_zyx_mm`); outermost voxels are
    repeated beyond the border.

    Raises:
        ValueError: grids whose axes do not run along one another.
    """
    axes = _require_axes(source, target)
    view = values.transpose(axes)
    taps = [find_taps(source, target, axis, sigma_mm=sigma_zyx_mm[axes[axis]]) for axis in range(3)]
    resampled = np.empty(target.shape_zyx, dtype=np.int16)
    fill_slices = _make_filler(view, taps, resampled)
    bounds = np.linspace(0, target.shape_zyx[0], threads + 1).astype(int)
    blocks = [range(first, last) for first, last in itertools.pairwise(bounds)]
    with ThreadPoolExecutor(threads) as pool:  # NumPy releases the interpreter's lock
        list(pool.map(fill_slices, blocks))
    _fill_outside(resampled, taps, fill)
    return resampled


def take_along_axes(labels: NDArray[np.uint8], source: Grid, target: Grid) -> NDArray[np.uint8]:
    """Return labels (uint8, zyx, on `source`) on `target`: each voxel has the nearest voxel's label, 0 outside.

    Raises:
        ValueError: grids whose axes do not run along one another.
    """
    view = labels.transpose(_require_axes(source, target))
    taps = [find_taps(source, target, axis) for axis in range(3)]
    # halfway the voxel of the higher index is used, as in SimpleITK
    z, y, x = (np.where(line.weights[1] >= 0.5, line.voxels[1], line.voxels[0]) for line in taps)
    taken = np.empty(target.shape_zyx, dtype=np.uint8)
    for index, plane in enumerate(z):
        np.take(np.take(view[plane], y, axis=0), x, axis=1, out=taken[index], mode="clip")
    _fill_outside(taken, taps, 0)
    return taken


def find_taps(source: Grid, target: Grid, axis: int, *, sigma_mm: float = 0.0) -> Taps:
    """Return source indices and weights for the voxels along one axis of `target`."""
    axes = _require_axes(source, target)
    index = np.zeros((target.shape_zyx[axis], 3))
    index[:, axis] = np.arange(target.shape_zyx[axis])
    place = source.to_index(target.to_world(index))[:, axes[axis]]
    last = source.shape_zyx[axes[axis]] - 1
    is_inside = (place >= -0.5) & (place <= last + 0.5)
    # spacings such as 0.703125 reach whole voxels only up to rounding; a weight of 1e-13 gets no tap
    nearest = np.round(place)
    place = np.clip(np.where(np.abs(place - nearest) < 1e-6, nearest, place), 0, last)
    lower = np.floor(place).astype(np.intp)
    share = place - lower
    kernel = _gaussian(sigma_mm / source.spacing_zyx_mm[axes[axis]])
    reach = len(kernel) // 2
    # two smoothed voxels are two shifted kernels
    weights = np.outer(np.append(kernel, 0.0), 1 - share) + np.outer(np.append(0.0, kernel), share)
    voxels = np.clip(lower + np.arange(-reach, reach + 2)[:, None], 0, last)
    return Taps(voxels, weights.astype(np.float32), is_inside)


def _gaussian(sigma_vox: float) -> NDArray[np.float64]:
    """Return the weights of a sampled Gaussian, centred; a single weight for a width of 0."""
    reach = math.ceil(SIGMAS * sigma_vox)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma_vox) ** 2) if reach else np.ones(1)
    return weights / weights.sum()


def _require_axes(source: Grid, target: Grid) -> tuple[int, int, int]:
    axes = match_axes(source, target)
    if axes is None:
        raise ValueError(f"expected axes along those of the source, found the direction {target.direction_zyx}")
    return axes


def _fill_outside(array: NDArray[Any], taps: list[Taps], fill: int) -> None:
    for axis, line in enumerate(taps):
        if not line.is_inside.all():
            np.moveaxis(array, axis, 0)[~line.is_inside] = fill


def _make_filler(view: NDArray[np.int16], taps: list[Taps], resampled: NDArray[np.int16]) -> Callable[[range], None]:
    """Return the function that fills some slices of `resampled`, with its own scratch memory."""
    along_z, along_y, along_x = taps
    num_y, num_x = resampled.shape[1:]
    sizes = (view.shape[1:], (num_y, view.shape[2]), (num_y, num_x))

    def fill_slices(block: range) -> None:
        (plane, rows, cells), (step, next_rows, next_cells) = (
            [np.empty(size, dtype=np.float32) for size in sizes] for _ in range(2)
        )
        for index in block:
            voxels, weights = along_z.voxels[:, index], along_z.weights[:, index]
            np.copyto(plane, view[voxels[0]])
            if weights[0] != 1.0:
                plane *= weights[0]
            for voxel, weight in zip(voxels[1:], weights[1:], strict=True):
                if weight:
                    np.copyto(step, view[voxel])
                    step *= weight
                    plane += step
            _join(plane, along_y, 0, joined=rows, step=next_rows)
            _join(rows, along_x, 1, joined=cells, step=next_cells)
            np.rint(cells, out=cells)
            np.copyto(resampled[index], cells, casting="unsafe")

    return fill_slices


def _join(
    values: NDArray[np.float32], taps: Taps, axis: int, *, joined: NDArray[np.float32], step: NDArray[np.float32]
) -> None:
    """Set `joined` to the weighted sum of the taps of `values` along an axis; `step` is scratch memory."""
    for number, (voxels, weights) in enumerate(zip(taps.voxels, taps.weights, strict=True)):
        target = step if number else joined
        # `clip` lets take write into its target at once; all indices are inside
        np.take(values, voxels, axis=axis, out=target, mode="clip")
        target *= weights[:, None] if axis == 0 else weights
        if number:
            joined += step
