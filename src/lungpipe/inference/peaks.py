"""From the maps of a centre detector to peaks, each with its diameter and its part of the mask."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lungpipe.candidates.detections import Detections, MaskCrop
from lungpipe.candidates.peaks import CenterMaps, find_peaks
from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.settings.recipe import PeakDecoding

MASK_REACH = 0.75
"""Voxels farther from a centre than this, in its diameters, belong to something else."""
SMALLEST_REACH_MM = 3.0


def decode_peaks(maps: Maps, grid: Grid, region: NDArray[np.bool_], settings: PeakDecoding) -> Detections:
    """Return the local maxima of the heat map inside the region (mask, zyx) whose centre lies in the volume.

    Where the maps have a mask, every peak gets the voxels near its centre (see `crop_mask`); its crop may be empty.
    """
    heatmap = expit(maps.heads["heatmap"][0])
    # no peak, and below every neighbour that is in the region
    heatmap[~maps.cut("heatmap", region)] = -1.0
    center_maps = CenterMaps(
        heatmap, maps.heads["offset"], maps.heads["diameter"][0], maps.stride("heatmap"), maps.start_zyx_vox
    )
    found = find_peaks(center_maps, grid, settings.threshold)
    found = found.take(np.flatnonzero(grid.contains(found.centers_zyx_mm)))
    if "mask" not in maps.heads:
        return found
    crops = tuple(
        crop_mask(maps, grid, center, float(diameter))
        for center, diameter in zip(found.centers_zyx_mm, found.diameters_mm, strict=True)
    )
    return Detections(found.centers_zyx_mm, found.diameters_mm, found.scores, crops)


def crop_mask(maps: Maps, grid: Grid, center_zyx_mm: NDArray[np.float64], diameter_mm: float) -> MaskCrop:
    """Return the voxels of probability above 1/2 within 0.75 diameters (at least 3 mm) of a centre (zyx mm)."""
    reach_mm = max(MASK_REACH * diameter_mm, SMALLEST_REACH_MM)
    spacing = np.asarray(grid.spacing_zyx_mm)
    index = grid.to_index(center_zyx_mm)
    # the box of the maps may reach beyond the volume
    ends = np.minimum([side.stop for side in maps.box], grid.shape_zyx)
    low = np.clip(np.floor(index - reach_mm / spacing).astype(int), maps.start_zyx_vox, ends)
    high = np.clip(np.ceil(index + reach_mm / spacing).astype(int) + 1, low, ends)
    axes = [np.arange(a, b) - middle for a, b, middle in zip(low, high, index, strict=True)]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) * spacing
    local = tuple(slice(a - start, b - start) for a, b, start in zip(low, high, maps.start_zyx_vox, strict=True))
    is_nodule = (maps.heads["mask"][0][local] > 0.0) & (np.square(offsets).sum(axis=-1) <= reach_mm**2)
    return MaskCrop((int(low[0]), int(low[1]), int(low[2])), is_nodule)
