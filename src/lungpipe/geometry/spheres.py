"""Nodules as spheres: the hit rule of training labels and evaluation, and sphere masks."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.geometry.grid import Grid

DEFAULT_DIAMETER_MM = 10.0
"""Diameter in place of a negative diameter (LUNA16's evaluation script, `noduleCADEvaluationLUNA16.py`)."""


def radius_mm(diameter_mm: ArrayLike) -> NDArray[np.float64]:
    """Return the hit radius in mm of each diameter (mm); a negative diameter means 10 mm."""
    diameter = np.asarray(diameter_mm, dtype=np.float64)
    return np.where(diameter < 0, DEFAULT_DIAMETER_MM, diameter) / 2.0


def hits(points_zyx_mm: ArrayLike, centers_zyx_mm: ArrayLike, diameters_mm: ArrayLike) -> NDArray[np.bool_]:
    """Return which points (N, 3) are strictly inside which spheres (M), as a mask (N, M).

    The official LUNA16 rule: squared distance < (diameter / 2)^2, strict; a negative diameter means 10 mm.
    """
    points = np.asarray(points_zyx_mm, dtype=np.float64).reshape(-1, 1, 3)
    centers = np.asarray(centers_zyx_mm, dtype=np.float64).reshape(1, -1, 3)
    squared = np.square(points - centers).sum(axis=-1)
    inside: NDArray[np.bool_] = squared < np.square(radius_mm(diameters_mm))
    return inside


def sphere_mask(grid: Grid, center_zyx_mm: ArrayLike, diameter_mm: float) -> NDArray[np.bool_]:
    """Return the mask (grid's shape, zyx) of the voxels with their centre inside the sphere.

    A sphere without any voxel centre marks the voxel nearest to the sphere's centre, if that voxel is on the grid, so
    that every nodule has a mask.
    """
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    center = np.asarray(center_zyx_mm, dtype=np.float64)
    reach = float(radius_mm(diameter_mm)) / np.asarray(grid.spacing_zyx_mm)
    index = grid.to_index(center)
    # a direction matrix is orthonormal, so the sphere's index-space bounding box is the same for every rotation
    low = np.maximum(np.floor(index - reach).astype(int), 0)
    high = np.minimum(np.ceil(index + reach).astype(int) + 1, grid.shape_zyx)
    if np.any(low >= high):
        return mask
    axes = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
    points = grid.to_world(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    mask[box] = hits(points.reshape(-1, 3), center, diameter_mm).reshape(points.shape[:3])
    nearest = np.round(index).astype(int)
    if not mask.any() and np.all((nearest >= 0) & (nearest < grid.shape_zyx)):
        mask[tuple(nearest)] = True
    return mask
