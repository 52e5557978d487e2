"""Nearest-neighbour resampling of lung labels (1 left, 2 right) onto another grid."""

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.resampling.resample import make_resampler, to_image
from lungpipe.resampling.separable import match_axes, take_along_axes


def resample_labels(labels: NDArray[np.uint8], source: Grid, target: Grid) -> NDArray[np.uint8]:
    """Return labels (uint8, zyx) on another grid by nearest neighbour, 0 outside."""
    if match_axes(source, target) is not None:
        return take_along_axes(labels, source, target)
    resampler = make_resampler(target, SimpleITK.sitkNearestNeighbor)
    return SimpleITK.GetArrayFromImage(resampler.Execute(to_image(labels, source)))
