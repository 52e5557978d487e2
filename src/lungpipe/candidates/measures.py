"""Measures of a nodule that need no network: HU inside and around, and the shape of the connected tissue."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungpipe.geometry import radius_mm, window_around
from lungpipe.tables import CENTER_COLUMNS, MEASURES
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import Volume

TISSUE_HU, ATTACHED_HU, CALCIFIED_HU = -400.0, -500.0, 200.0
HIGHEST_HU = 1000.0
"""HU above (metal) are clipped, so that no mean depends on them."""
SHELL_MM = 4.0
CORE_SHARE = 0.8
TISSUE_REACH = 1.5
"""Connected tissue is followed to this multiple of the radius: vessels and pleura go on beyond."""
FloatArray = NDArray[np.float64]


def measure_nodules(
    stores: Mapping[str, Path], nodules: pd.DataFrame, on_done: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Return the measures (table MEASURES) of the nodules of these series that are inside their volumes.

    `nodules` is the table NODULES, and may hold other series too.
    """
    rows = []
    for series_uid, path in stores.items():
        volume = open_volume(path, series_uid)
        own = nodules[nodules["series_uid"] == series_uid]
        for nodule in own.itertuples():
            center = [float(getattr(nodule, name)) for name in CENTER_COLUMNS]
            if volume.grid.contains(center):
                rows.append({"nodule_id": nodule.nodule_id} | measure(volume, center, float(nodule.diameter_mm)))
        if on_done is not None:
            on_done(f"{series_uid}: {len(own)} nodules")
    return MEASURES.conform(pd.DataFrame(rows)) if rows else MEASURES.empty()


def measure(volume: Volume, center_zyx_mm: ArrayLike, diameter_mm: float) -> dict[str, float]:
    """Return the measures of a nodule with this world centre (zyx) and diameter; a negative diameter means 10 mm."""
    radius = float(radius_mm(diameter_mm))
    spacing = np.asarray(volume.grid.spacing_zyx_mm)
    index = volume.grid.to_index(center_zyx_mm)
    reach = np.ceil((max(TISSUE_REACH * radius, radius + SHELL_MM) + 1.0) / spacing).astype(int)
    window = window_around(index, (2 * int(reach[0]) + 1, 2 * int(reach[1]) + 1, 2 * int(reach[2]) + 1))
    hu = np.minimum(volume.read_hu(window), HIGHEST_HU).astype(np.float64)
    offset = np.asarray(window.start_zyx_vox) - index
    axes = [(np.arange(side) + first) * size for side, first, size in zip(hu.shape, offset, spacing, strict=True)]
    distance = np.sqrt(sum(np.square(axis) for axis in np.meshgrid(*axes, indexing="ij")))
    # the nearest voxel belongs to a nodule of any size
    core = hu[distance <= max(CORE_SHARE * radius, float(distance.min()))]
    inside = hu[distance <= max(radius, float(distance.min()))]
    shell = hu[(distance > radius) & (distance <= radius + SHELL_MM)]
    outer = hu[(distance > radius + 1.0) & (distance <= radius + SHELL_MM)]
    steps = np.minimum(index + 0.5, np.asarray(volume.grid.shape_zyx) - 0.5 - index) * spacing
    return {
        "border_mm": float(steps.min()),
        "mean_hu": float(core.mean()),
        "low_hu": float(np.percentile(core, 10)),
        "high_hu": float(np.percentile(core, 90)),
        "deviation_hu": float(core.std()),
        "calcified_share": float((inside > CALCIFIED_HU).mean()),
        "shell_hu": float(shell.mean()),
        "attached_share": float((outer > ATTACHED_HU).mean()),
        **_shape_of_tissue(hu, distance, axes, radius),
    }


def _shape_of_tissue(hu: FloatArray, distance: FloatArray, axes: list[FloatArray], radius: float) -> dict[str, float]:
    """Return the shape of the tissue that is connected with the voxel nearest to the centre; a point if that is air."""
    from scipy import ndimage

    labels, _ = ndimage.label((hu > TISSUE_HU) & (distance <= TISSUE_REACH * radius))
    nearest = np.unravel_index(int(np.argmin(distance)), hu.shape)
    places = np.argwhere(labels == labels[nearest]) if labels[nearest] else np.asarray([nearest])
    points = np.stack([axis[places[:, number]] for number, axis in enumerate(axes)], axis=1)
    voxel_mm3 = float(np.prod([abs(axis[1] - axis[0]) for axis in axes]))
    volume_mm3 = len(points) * voxel_mm3
    centered = points - points.mean(axis=0)
    # half a voxel of blur, so that a single voxel and a plane of voxels have a finite elongation
    variances = np.linalg.eigvalsh(centered.T @ centered / len(points)) + voxel_mm3 ** (2 / 3) / 12
    farthest = float(np.linalg.norm(centered, axis=1).max()) + voxel_mm3 ** (1 / 3) / 2
    return {
        "tissue_mm": float((6 * volume_mm3 / np.pi) ** (1 / 3)),
        "elongation": float(np.sqrt(variances[-1] / variances[0])),
        "fill_share": float(volume_mm3 / (4 / 3 * np.pi * farthest**3)),
    }
