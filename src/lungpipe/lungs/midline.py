"""Find the middle of the chest, also if the field of view shows only one side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.lungs.components import largest_part
from lungpipe.lungs.morphology import BoolArray

CUT_SHARE, CLEAR_SHARE = 0.2, 0.05
"""The field of view cuts the body on a side if the body covers more than the first share of that side's border, and
less than the second share of the opposite border."""
VALLEY_SHARE, HUMP_SHARE = 0.5, 0.1
"""At some x between two lungs there is less air than the first share of the smaller lung's largest section. The smaller
lung's largest section is at least the second share of the larger lung's."""
BONE_HU = (150, 100)
"""HU of healthy and of thin bones, tried in this order."""
SPINE_SHARE = 0.5
"""The spine has bone in this share of the slices; ribs are in fewer slices."""


def find_middle(hu: NDArray[np.int16], body: BoolArray, air: BoolArray) -> tuple[float, float]:
    """Return the middle (x, in voxels) and the width of a body, including the part outside the field of view.

    `hu`, `body` and the `air` inside the body run along +z, +y, +x. The middle of a whole body is the middle between
    its borders. If one side is cut, it is the tissue between the two lungs. For a single lung it is the spine or, if
    there is no spine, the border that cuts the body.
    """
    columns = body.sum(axis=(0, 1))
    occupied = np.flatnonzero(columns)
    first, last = int(occupied[0]), int(occupied[-1])
    at_border = body[:, :, [0, -1]].mean(axis=(0, 1))
    if at_border.max() <= CUT_SHARE or at_border.min() >= CLEAR_SHARE:
        return float(columns @ np.arange(len(columns)) / columns.sum()), float(last - first + 1)
    # tried first: the bone of an arm is in all slices, too
    middle = _find_valley(air.sum(axis=(0, 1)))
    if middle is None:
        middle = _find_spine(hu, body)
    if middle is None:
        middle = 0.0 if at_border[0] > at_border[1] else float(len(columns) - 1)
    return middle, 2 * max(middle - first, last - middle) + 1


def _find_spine(hu: NDArray[np.int16], body: BoolArray) -> float | None:
    for bone_hu in BONE_HU:
        spine = largest_part(((hu > bone_hu) & body).mean(axis=0, keepdims=True) > SPINE_SHARE)
        if spine.any():
            return float(np.argwhere(spine)[:, 2].mean())
    return None


def _find_valley(columns: NDArray[np.integer[Any]]) -> float | None:
    humps = np.minimum(np.maximum.accumulate(columns), np.maximum.accumulate(columns[::-1])[::-1])
    x = int(np.argmax(humps - columns))
    is_between = columns[x] < VALLEY_SHARE * humps[x] and humps[x] >= HUMP_SHARE * columns.max()
    # the middle of a gap without a deepest place
    deepest = np.flatnonzero(humps - columns == humps[x] - columns[x])
    return float(deepest.mean()) if is_between else None
