"""Find peaks in the maps of a centre detector, each with its diameter and its part of the mask."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from lungpipe.candidates.detections import Detections, MaskCrop
from lungpipe.candidates.merge import keep_all
from lungpipe.candidates.peaks import NEIGHBOURS, CenterMaps, find_peaks
from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps
from lungpipe.inference.tiles import Box
from lungpipe.settings.recipe import PeakDecoding

MASK_REACH = 0.75
"""Voxels farther than this from a centre (in diameters) do not belong to its nodule."""
SMALLEST_REACH_MM = 3.0
EQUAL_CENTER_MM = 6.0
"""Diameter at which the centres by heat map and by mask err the same (113 nodules of a validation subset)."""
EQUAL_SIZE_MM = 12.0
"""Diameter at which the diameters by heat map and by mask err the same (the same nodules)."""


def decode_peaks(
    maps: Maps,
    grid: Grid,
    region: NDArray[np.bool_],
    settings: PeakDecoding,
    *,
    merge: Callable[[Detections], Detections] = keep_all,
) -> Detections:
    """Return the merged local maxima of the heat map inside the region (mask, zyx) whose centre is in the volume.

    Where the maps have a mask, every peak gets the voxels near its centre (see `crop_mask`); its crop may be empty.
    With `settings.refine` "mask" its centre and its diameter are then refined (see `refine_peak`). Peaks are merged
    before, because most of thousands of peaks are dropped, and again where refined centres have come together.
    """
    heatmap = expit(maps.heads["heatmap"][0])
    # not a peak, and lower than every neighbour inside the region
    stride = maps.stride("heatmap")
    heatmap[~maps.cut(region, stride)] = -1.0
    center_maps = CenterMaps(heatmap, maps.heads["offset"], maps.heads["diameter"][0], stride, maps.start_zyx_vox)
    found = find_peaks(center_maps, grid, settings.threshold)
    found = merge(found.take(np.flatnonzero(grid.contains(found.centers_zyx_mm))))
    if "mask" not in maps.heads:
        return found
    crops = tuple(
        crop_mask(maps, grid, center, float(diameter))
        for center, diameter in zip(found.centers_zyx_mm, found.diameters_mm, strict=True)
    )
    found = Detections(found.centers_zyx_mm, found.diameters_mm, found.scores, crops)
    return merge(refine_by_mask(found, maps, grid)) if settings.refine == "mask" else found


def crop_mask(maps: Maps, grid: Grid, center_zyx_mm: NDArray[np.float64], diameter_mm: float) -> MaskCrop:
    """Return the voxels of probability above 1/2 within 0.75 diameters (at least 3 mm) of a centre (zyx mm)."""
    reach_mm = max(MASK_REACH * diameter_mm, SMALLEST_REACH_MM)
    spacing = np.asarray(grid.spacing_zyx_mm)
    index = grid.to_index(center_zyx_mm)
    # the box of the maps may extend beyond the volume
    ends = np.minimum([side.stop for side in maps.box], grid.shape_zyx)
    low = np.clip(np.floor(index - reach_mm / spacing).astype(int), maps.start_zyx_vox, ends)
    high = np.clip(np.ceil(index + reach_mm / spacing).astype(int) + 1, low, ends)
    axes = [np.arange(a, b) - middle for a, b, middle in zip(low, high, index, strict=True)]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) * spacing
    is_nodule = (maps.read_mask(_box(low, high)) > 0.0) & (np.square(offsets).sum(axis=-1) <= reach_mm**2)
    return MaskCrop((int(low[0]), int(low[1]), int(low[2])), is_nodule)


def refine_by_mask(found: Detections, maps: Maps, grid: Grid) -> Detections:
    """Return the detections with centre and diameter of each refined by its mask crop (see `refine_peak`)."""
    if not len(found):
        return found
    peaks = zip(found.mask_crops or (), found.centers_zyx_mm, found.diameters_mm, strict=True)
    refined = [refine_peak(maps, grid, crop, (center, float(size_mm))) for crop, center, size_mm in peaks]
    centers, diameters_mm = np.stack([center for center, _ in refined]), np.array([size_mm for _, size_mm in refined])
    return Detections(centers, diameters_mm, found.scores, found.mask_crops)


def refine_peak(
    maps: Maps, grid: Grid, crop: MaskCrop, peak: tuple[NDArray[np.float64], float]
) -> tuple[NDArray[np.float64], float]:
    """Return centre (zyx mm) and diameter (mm) of a peak, averaged with those of the mask there.

    `peak` is centre and diameter by the heat map; `crop` holds the mask near it. The mask's centre is the centre of
    mass (by probability) of the lump of connected voxels that is nearest to the peak; its diameter is that of the
    sphere of the lump's volume. The errors of the heat map grow with the diameter d, those of the mask hardly do: the
    mask has the weight d^2 / (d^2 + s^2), with s the diameter at which both err the same (weights by inverse
    variance).

    A peak without mask voxels within its radius, or with a lump whose centre of mass is beyond its radius, stays as it
    is: that mask belongs to something else.
    """
    center, diameter_mm = peak
    voxels = np.argwhere(crop.mask)
    if not len(voxels):
        return peak
    spacing, index = np.asarray(grid.spacing_zyx_mm), grid.to_index(center) - crop.start_zyx_vox
    distance_mm = np.linalg.norm((voxels - index) * spacing, axis=1)
    nearest = int(np.argmin(distance_mm))
    labels, _ = ndimage.label(crop.mask, structure=NEIGHBOURS)
    lump = voxels[labels[tuple(voxels.T)] == labels[tuple(voxels[nearest])]]
    start = np.asarray(crop.start_zyx_vox)
    mass = expit(maps.read_mask(_box(start, start + crop.mask.shape))[tuple(lump.T)]).astype(np.float64)
    middle = np.average(lump, axis=0, weights=mass)
    shift_mm = float(np.linalg.norm((middle - index) * spacing))
    if max(float(distance_mm[nearest]), shift_mm) > diameter_mm / 2.0:
        return peak
    mask_center = grid.to_world(middle + start)
    mask_diameter_mm = float(np.cbrt(6.0 * len(lump) * grid.voxel_volume_mm3 / np.pi))
    of_center, of_diameter = (
        diameter_mm**2 / (diameter_mm**2 + equal**2) for equal in (EQUAL_CENTER_MM, EQUAL_SIZE_MM)
    )
    refined_mm = diameter_mm + of_diameter * (mask_diameter_mm - diameter_mm)
    return center + of_center * (mask_center - center), float(refined_mm)


def _box(low: NDArray[np.int_], high: NDArray[np.int_]) -> Box:
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return (z, y, x)
