"""Smaller volumes from blocks of voxels: means of HU, and the largest of labels."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray


def block_mean(hu: NDArray[np.int16], factors_zyx: Sequence[int]) -> NDArray[np.int16]:
    """Return the mean of every block of voxels (zyx), rounded; a last block that is not full repeats its edge."""
    z, y, x = factors_zyx
    whole = _fill_blocks(hu, factors_zyx)
    means = np.empty((whole.shape[0] // z, whole.shape[1] // y, whole.shape[2] // x), dtype=np.int16)
    num = z * y * x
    # plane by plane: the sums stay in the cache
    for index, target in enumerate(means):
        plane = _sum(whole[index * z : (index + 1) * z])
        rows = _sum([plane[offset::y] for offset in range(y)])
        cells = _sum([rows[:, offset::x] for offset in range(x)])
        target[...] = (cells + num // 2) // num
    return means


def halve_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest label of every 2 x 2 x 2 voxels, so that a thin structure does not vanish."""
    pairs = _fill_blocks(labels, (2, 2, 2))
    planes = np.maximum(pairs[0::2], pairs[1::2])
    rows = np.maximum(planes[:, 0::2], planes[:, 1::2])
    return np.maximum(rows[:, :, 0::2], rows[:, :, 1::2])


def _sum(parts: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[Any]:
    return reduce(lambda total, part: np.add(total, part, dtype=np.int32), parts)


def _fill_blocks(array: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    missing = [(0, -size % factor) for size, factor in zip(array.shape, factors, strict=True)]
    return np.pad(array, missing, mode="edge") if any(after for _, after in missing) else array
