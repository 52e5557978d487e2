"""Where the middle of the chest lies, also in a field of view that shows one side of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.lungs.components import largest_part
from lungpipe.lungs.morphology import BoolArray

CUT_SHARE, CLEAR_SHARE = 0.2, 0.05
"""A body may go on beyond the side of the field of view where it takes more of the border than the first, on the other
side less than the second."""
VALLEY_SHARE, HUMP_SHARE = 0.5, 0.1
"""Between two lungs there is less air, at one x, than this share of what the lesser one has where it is widest; and
that is at least the second share of the larger one's."""
BONE_HU = (150, 100)
"""Of healthy and of thin bones, tried in this order."""
SPINE_SHARE = 0.5
"""The spine is where there is bone in this share of the slices; ribs run through."""


def find_middle(hu: NDArray[np.int16], body: BoolArray, air: BoolArray) -> tuple[float, float]:
    """Return the middle of a body (x, in voxels) and its width, both also of what the field of view does not show.

    `hu`, `body` and the `air` inside the body run along +z, +y, +x. A body that is seen from skin to skin has its
    middle in its own. Of one that is cut on one side, the middle is what lies between two lungs; of a single lung the
    spine or, where that is not seen, either, the border that cuts.
    """
    columns = body.sum(axis=(0, 1))
    occupied = np.flatnonzero(columns)
    first, last = int(occupied[0]), int(occupied[-1])
    at_border = body[:, :, [0, -1]].mean(axis=(0, 1))
    if at_border.max() <= CUT_SHARE or at_border.min() >= CLEAR_SHARE:
        return float(columns @ np.arange(len(columns)) / columns.sum()), float(last - first + 1)
    # first: the bone of an arm runs through all slices as well
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
    # a gap has no deepest place: its middle
    deepest = np.flatnonzero(humps - columns == humps[x] - columns[x])
    return float(deepest.mean()) if is_between else None
