"""Find images in a series whose planes cross those of the slices: overview images that no element names as such."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.dicom.slice import Slice

MAX_CROSSING = 3
"""As many images may cross the others, or MAX_SHARE of a long series; more are a volume of their own."""
MAX_SHARE = 0.1
_COSINE = 0.7
"""Planes cross if the cosine between their normals is smaller (45 degrees); gantries tilt by up to 30 degrees."""


def find_crossing(items: Sequence[Slice]) -> list[Slice]:
    """Return the few images of a series whose planes cross those of nearly all others; empty if there are more.

    Images without a readable orientation, and files of many frames, do not count.
    """
    normals = [(item, normal) for item in items if (normal := _normal(item)) is not None]
    if not normals:
        return []
    # slices of one series have equal normals but for their last digits
    [(common, _)] = Counter(tuple(np.round(normal, 1).tolist()) for _, normal in normals).most_common(1)
    main = np.array(common) / np.linalg.norm(common)
    crossing = [item for item, normal in normals if abs(float(normal @ main)) < _COSINE]
    is_few = len(crossing) <= max(MAX_CROSSING, MAX_SHARE * len(items)) and 2 * len(crossing) < len(normals)
    return crossing if is_few else []


def _normal(item: Slice) -> NDArray[np.float64] | None:
    """Return the unit normal (xyz) of an image's plane; None without a readable orientation."""
    try:
        row, column = np.array(item.header.get("ImageOrientationPatient"), dtype=np.float64).reshape(2, 3)
    except (TypeError, ValueError):
        return None
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    return normal / length if 0 < length < np.inf else None
