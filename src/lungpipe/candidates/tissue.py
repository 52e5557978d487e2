"""The tissue that is connected with the middle of a nodule: its size, its shape and its HU."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.tables.measures import TISSUE

TISSUE_HU = -400.0
TISSUE_REACH = 1.5
"""Connected tissue is followed to this multiple of the radius: vessels and pleura go on beyond."""
FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


def measure_tissue(
    hu: FloatArray, distance_mm: FloatArray, axes_mm: tuple[FloatArray, FloatArray, FloatArray], radius_mm: float
) -> dict[str, float]:
    """Return the measures TISSUE of the tissue connected with the voxel nearest to the centre; of that voxel if air.

    hu, distance_mm: arrays (zyx) of one shape; axes_mm: the voxels' positions relative to the centre.
    """
    is_tissue = _connected(hu, distance_mm, radius_mm)
    places = np.argwhere(is_tissue)
    points = np.stack([axis[places[:, number]] for number, axis in enumerate(axes_mm)], axis=1)
    voxel_mm3 = float(np.prod([abs(axis[1] - axis[0]) for axis in axes_mm]))
    volume_mm3 = len(points) * voxel_mm3
    middle = points.mean(axis=0)
    centered = points - middle
    # half a voxel of blur, so that a single voxel and a plane of voxels have finite axes
    variances = np.linalg.eigvalsh(centered.T @ centered / len(points)) + voxel_mm3 ** (2 / 3) / 12
    short, middle_axis, long = np.sqrt(variances)
    farthest = float(np.linalg.norm(centered, axis=1).max()) + voxel_mm3 ** (1 / 3) / 2
    inside = hu[is_tissue].astype(np.float64)
    deviation = float(inside.std())
    values = (
        (6 * volume_mm3 / np.pi) ** (1 / 3),
        long,
        middle_axis,
        short,
        long / short,
        middle_axis / short,
        volume_mm3 / (4 / 3 * np.pi * farthest**3),
        *_surface(is_tissue),
        float(np.linalg.norm(middle)),
        inside.mean(),
        deviation,
        float(((inside - inside.mean()) ** 3).mean()) / max(deviation, 1.0) ** 3,
        float((inside + 1000.0).sum()) * voxel_mm3 / 1000.0,
    )
    return {name: float(value) for name, value in zip(TISSUE, values, strict=True)}


def _connected(hu: FloatArray, distance_mm: FloatArray, radius_mm: float) -> BoolArray:
    from scipy import ndimage

    labels, _ = ndimage.label((hu > TISSUE_HU) & (distance_mm <= TISSUE_REACH * radius_mm))
    nearest = np.unravel_index(int(np.argmin(distance_mm)), hu.shape)
    if labels[nearest]:
        return np.asarray(labels == labels[nearest])
    alone = np.zeros(hu.shape, dtype=bool)
    alone[nearest] = True
    return alone


def _surface(is_tissue: BoolArray) -> tuple[float, float]:
    """Return voxels at the surface by volume^(2/3), and the share of voxels in parts one or two voxels thin."""
    from scipy import ndimage

    number = int(is_tissue.sum())
    surface = number - int(ndimage.binary_erosion(is_tissue).sum())
    thin = number - int(ndimage.binary_opening(is_tissue).sum())
    return surface / number ** (2 / 3), thin / number
