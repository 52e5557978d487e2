"""Find lumps of voxels in a mask map."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lungpipe.candidates.detections import Detections
from lungpipe.candidates.group import group_voxels
from lungpipe.candidates.merge import keep_all
from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.settings.recipe import LumpDecoding


def decode_lumps(
    maps: Maps,
    grid: Grid,
    region: NDArray[np.bool_],
    settings: LumpDecoding,
    *,
    merge: Callable[[Detections], Detections] = keep_all,
) -> Detections:
    """Return the merged lumps of connected voxels above the threshold in the region (mask, zyx), with their masks."""
    probability = expit(maps.read_mask(maps.box))
    probability[~maps.cut(region, 1)] = 0.0
    found = group_voxels(probability, grid, settings.threshold, settings.min_voxels, start_zyx_vox=maps.start_zyx_vox)
    return merge(found)
