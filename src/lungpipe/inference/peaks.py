"""From the maps of a centre detector to peaks, each with its diameter and its part of the mask."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from lungpipe.candidates.detections import Detections, MaskCrop
from lungpipe.candidates.peaks import NEIGHBOURS, CenterMaps, find_peaks
from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.settings.recipe import PeakDecoding

MASK_REACH = 0.75
"""Voxels farther from a centre than this, in its diameters, belong to something else."""
SMALLEST_REACH_MM = 3.0


def decode_peaks(maps: Maps, grid: Grid, region: NDArray[np.bool_], settings: PeakDecoding) -> Detections:
    """Return the local maxima of the heat map inside the region (mask, zyx) whose centre lies in the volume.

    Where the maps have a mask, every peak gets the voxels near its centre (see `crop_mask`); its crop may be empty.
    With `settings.refine` "mask" its centre is then refined (see `refine_center`).
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
    centers = found.centers_zyx_mm
    if settings.refine == "mask":
        refined = [
            refine_center(maps, grid, crop, (center, float(diameter)))
            for crop, center, diameter in zip(crops, centers, found.diameters_mm, strict=True)
        ]
        centers = np.asarray(refined).reshape(-1, 3)
    return Detections(centers, found.diameters_mm, found.scores, crops)


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


def refine_center(
    maps: Maps, grid: Grid, crop: MaskCrop, peak: tuple[NDArray[np.float64], float]
) -> NDArray[np.float64]:
    """Return the middle between a peak's centre (zyx mm) and the centre of mass of the mask there.

    `peak` is centre (zyx mm) and diameter (mm); `crop` holds the mask near it. The mass is the probability of the lump
    of connected voxels that is nearest to the centre. Heat map and mask err differently, so their mean errs less than
    the better of the two unless their errors are almost the same. A peak without mask voxels within its radius, or
    with a lump whose centre of mass is beyond its radius, keeps its centre: that mask belongs to something else.
    """
    center, diameter_mm = peak
    voxels = np.argwhere(crop.mask)
    if not len(voxels):
        return center
    spacing, index = np.asarray(grid.spacing_zyx_mm), grid.to_index(center) - crop.start_zyx_vox
    distance_mm = np.linalg.norm((voxels - index) * spacing, axis=1)
    nearest = int(np.argmin(distance_mm))
    labels, _ = ndimage.label(crop.mask, structure=NEIGHBOURS)
    lump = voxels[labels[tuple(voxels.T)] == labels[tuple(voxels[nearest])]]
    places = lump + np.asarray(crop.start_zyx_vox) - np.asarray(maps.start_zyx_vox)
    weight = expit(maps.heads["mask"][0][tuple(places.T)]).astype(np.float64)
    middle = np.average(lump, axis=0, weights=weight)
    shift_mm = float(np.linalg.norm((middle - index) * spacing))
    if max(float(distance_mm[nearest]), shift_mm) > diameter_mm / 2.0:
        return center
    return 0.5 * (center + grid.to_world(middle + np.asarray(crop.start_zyx_vox)))
