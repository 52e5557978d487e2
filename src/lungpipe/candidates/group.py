"""Group voxels above a threshold into lumps, each with its centre of mass and its mask."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates.detections import Detections, MaskCrop
from lungpipe.geometry import Grid

NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
"""Voxels that touch at a face, an edge or a corner are connected."""


def group_voxels(
    probability: NDArray[np.float32],
    grid: Grid,
    threshold: float,
    min_voxels: int,
    *,
    start_zyx_vox: tuple[int, int, int] = (0, 0, 0),
) -> Detections:
    """Group 26-connected voxels (zyx) above `threshold` into lumps of at least `min_voxels`.

    A lump's centre is its probability-weighted centre of mass, its score the largest probability in it, its diameter
    that of the sphere of its volume, its mask crop its voxels. Lumps by centre of mass: Stevens, Antiga and Viehmann,
    *Deep Learning with PyTorch*, ch. 14. `probability` may be a box of the volume of `grid` that starts at voxel
    `start_zyx_vox`.
    """
    # importing scipy.ndimage takes 0.1 s, and training and scoring group nothing
    from scipy import ndimage

    labels, count = ndimage.label(probability > threshold, structure=NEIGHBOURS)
    if count == 0:
        return Detections.empty(has_masks=True)
    # from here on only the voxels in lumps are used, which are few
    places = np.nonzero(labels)
    lump = labels[places] - 1
    weight = probability[places].astype(np.float64)
    sizes = np.bincount(lump, minlength=count)
    mass = np.bincount(lump, weights=weight, minlength=count)
    index = np.stack([np.bincount(lump, weights=weight * axis, minlength=count) / mass for axis in places], axis=1)
    peaks = np.zeros(count)
    np.maximum.at(peaks, lump, weight)
    kept = np.flatnonzero(sizes >= min_voxels)
    volume_mm3 = sizes * grid.voxel_volume_mm3
    boxes = ndimage.find_objects(labels)
    return Detections(
        grid.to_world(index + np.asarray(start_zyx_vox))[kept],
        np.cbrt(6.0 * volume_mm3 / np.pi)[kept],
        peaks[kept],
        tuple(_crop(labels, int(row) + 1, boxes[row], start_zyx_vox) for row in kept),
    )


def own_lump(crop: MaskCrop, grid: Grid, center_zyx_mm: NDArray[np.float64], diameter_mm: float) -> MaskCrop | None:
    """Return the lump of a detection's mask crop that is nearest to its centre (zyx, LPS mm); None where there is none.

    A lump is a group of connected voxels. A lump farther from the centre than the radius (at least 1 voxel) belongs to
    something else. `grid` is that of the volume. The result has the box of `crop`.
    """
    from scipy import ndimage

    voxels = np.argwhere(crop.mask)
    if not len(voxels):
        return None
    offset = (voxels - (grid.to_index(center_zyx_mm) - crop.start_zyx_vox)) * np.asarray(grid.spacing_zyx_mm)
    distance_mm = np.linalg.norm(offset, axis=1)
    nearest = int(np.argmin(distance_mm))
    if not distance_mm[nearest] <= max(diameter_mm / 2.0, *grid.spacing_zyx_mm):
        return None
    labels, _ = ndimage.label(crop.mask, structure=NEIGHBOURS)
    return MaskCrop(crop.start_zyx_vox, labels == labels[tuple(voxels[nearest])])


def _crop(
    labels: NDArray[np.int32], label: int, box: tuple[slice, slice, slice], start_zyx_vox: tuple[int, int, int]
) -> MaskCrop:
    z, y, x = (side.start + start for side, start in zip(box, start_zyx_vox, strict=True))
    return MaskCrop((z, y, x), labels[box] == label)
