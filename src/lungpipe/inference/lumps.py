"""Find lumps of voxels in a mask map."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lungpipe.candidates.detections import Detections
from lungpipe.candidates.group import group_voxels
from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.settings.recipe import LumpDecoding


def decode_lumps(maps: Maps, grid: Grid, region: NDArray[np.bool_], settings: LumpDecoding) -> Detections:
    """Return the lumps of connected voxels inside the region (mask, zyx) above the threshold, with their masks."""
    probability = expit(maps.heads["mask"][0])
    probability[~maps.cut("mask", region)] = 0.0
    return group_voxels(probability, grid, settings.threshold, settings.min_voxels, start_zyx_vox=maps.start_zyx_vox)
