"""Where the middle of the chest lies, also in a field of view that shows one side of it."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.volumes.balls import BoolArray
from lungpipe.volumes.lungs.components import largest_part

CUT_SHARE, CLEAR_SHARE = 0.2, 0.05
"""A body goes on beyond the side of the field of view where it takes more of the border than the first, on the other
side less than the second."""
BONE_HU = 150
SPINE_SHARE = 0.5
"""The spine is where there is bone in this share of the slices; ribs run through."""


def find_middle(hu: NDArray[np.int16], body: BoolArray) -> tuple[float, float]:
    """Return the middle of a body (x, in voxels) and its width, both also of what the field of view does not show.

    `hu` and `body` run along +z, +y, +x. A body that is seen from skin to skin has its middle in its own. Of one that
    is cut on one side, the middle is the spine; where that is not seen, either, it is the border that cuts.
    """
    columns = body.sum(axis=(0, 1))
    occupied = np.flatnonzero(columns)
    first, last = int(occupied[0]), int(occupied[-1])
    at_border = body[:, :, [0, -1]].mean(axis=(0, 1))
    if at_border.max() <= CUT_SHARE or at_border.min() >= CLEAR_SHARE:
        return float(columns @ np.arange(len(columns)) / columns.sum()), float(last - first + 1)
    spine = largest_part(((hu > BONE_HU) & body).mean(axis=0, keepdims=True) > SPINE_SHARE)
    cut = 0.0 if at_border[0] > at_border[1] else float(len(columns) - 1)
    middle = float(np.argwhere(spine)[:, 2].mean()) if spine.any() else cut
    return middle, 2 * max(middle - first, last - middle) + 1
