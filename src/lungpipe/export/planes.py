"""The candidates' masks on the slices of a DICOM series, whatever its direction or tilt."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates import MaskCrop
from lungpipe.geometry import Grid
from lungpipe.prediction.paint import paint_nodules


def label_planes(planes: Sequence[Grid], masks: Sequence[MaskCrop], source: Grid) -> NDArray[np.uint16]:
    """Return the masks' numbers (from 1) on planes of one size, as an array (planes, rows, columns).

    `masks` are on the grid `source`. Every pixel has the number of the mask that holds its centre, the first of
    several. A mask between two slices gets the pixel nearest to its middle.
    """
    _, rows, columns = planes[0].shape_zyx
    labels = np.zeros((len(planes), rows, columns), dtype=np.uint16)
    for plane, part in zip(planes, labels, strict=True):
        paint_nodules(part[None], plane, masks, source, is_every_one=False)
    present = set(np.unique(labels).tolist())
    for number, crop in enumerate(masks, start=1):
        if number not in present:
            middle = source.to_world(np.argwhere(crop.mask).mean(axis=0) + np.asarray(crop.start_zyx_vox))
            labels[nearest_pixel(planes, middle)] = number
    return labels


def nearest_pixel(planes: Sequence[Grid], point_zyx_mm: NDArray[np.float64]) -> tuple[int, int, int]:
    """Return plane, row and column of the pixel nearest to a world point."""
    indices = np.array([plane.to_index(point_zyx_mm) for plane in planes])
    nearest = int(np.argmin(np.abs(indices[:, 0])))
    _, rows, columns = planes[nearest].shape_zyx
    row, column = np.clip(np.round(indices[nearest, 1:]), 0, (rows - 1, columns - 1)).astype(int).tolist()
    return nearest, row, column
