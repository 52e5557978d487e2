"""Measures of a nodule that need no network: HU inside, around and at the edge, and the shape of its tissue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungpipe.candidates.derivatives import laplacian, steepness
from lungpipe.candidates.tissue import measure_tissue
from lungpipe.geometry import radius_mm, window_around
from lungpipe.tables import CENTER_COLUMNS, MEASURES
from lungpipe.tables.measures import BLOB_MM, EDGE, LEVELS_HU, PERCENTILES, SHELLS_MM, level_name
from lungpipe.terms import counted
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import Volume

LOWEST_HU, HIGHEST_HU = -1000.0, 1000.0
"""HU below (padding) and above (metal) are clipped, so that no mean depends on them."""
LEAST_RADIUS_MM = 1.0
"""A smaller nodule is measured at this radius: one voxel has no distribution."""
TISSUE_HU, EMPHYSEMA_HU = -500.0, -950.0
EDGE_SIGMA_MM, EDGE_INSIDE_MM, EDGE_OUTSIDE_MM = 1.0, 1.0, 1.5
CORE_SHARE = 0.6
FloatArray = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """HU (zyx) around a nodule's centre, and the position of every voxel relative to it.

    axes_mm: three vectors, the voxels' positions along z, y and x. distance_mm: array like `hu`.
    """

    hu: FloatArray
    axes_mm: tuple[FloatArray, FloatArray, FloatArray]
    distance_mm: FloatArray
    spacing_zyx_mm: FloatArray
    radius_mm: float

    def within(self, low_mm: float, high_mm: float) -> FloatArray:
        """Return the HU (N,) of the voxels at these distances; those of the nearest voxel where there is none."""
        chosen = self.hu[(self.distance_mm > low_mm) & (self.distance_mm <= high_mm)]
        return chosen if len(chosen) else self.hu[self.distance_mm == self.distance_mm.min()]


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
            on_done(f"{series_uid}: {counted(len(own), 'nodule')}")
    return MEASURES.conform(pd.DataFrame(rows)) if rows else MEASURES.empty()


def measure(volume: Volume, center_zyx_mm: ArrayLike, diameter_mm: float) -> dict[str, float]:
    """Return the measures of a nodule with this world centre (zyx) and diameter; a negative diameter means 10 mm."""
    index = volume.grid.to_index(center_zyx_mm)
    around = read_neighbourhood(volume, index, float(radius_mm(diameter_mm)))
    steps = np.minimum(index + 0.5, np.asarray(volume.grid.shape_zyx) - 0.5 - index) * around.spacing_zyx_mm
    return {
        "border_mm": float(steps.min()),
        **_distribution(around),
        **_surroundings(around),
        **_edge(around),
        **_blobs(around),
        **measure_tissue(around.hu, around.distance_mm, around.axes_mm, around.radius_mm),
    }


def measure_candidate(volume: Volume, center_zyx_mm: ArrayLike, diameter_mm: float) -> dict[str, float]:
    """Return the diameter and the measures of a candidate: what malignancy is learned from (MEASURED), and more."""
    return {"diameter_mm": float(diameter_mm)} | measure(volume, center_zyx_mm, diameter_mm)


def read_neighbourhood(volume: Volume, index_zyx: FloatArray, radius: float) -> Neighbourhood:
    """Return the HU out to the outermost shell; outside the volume the nearest voxel repeats."""
    radius = max(radius, LEAST_RADIUS_MM)
    spacing = np.asarray(volume.grid.spacing_zyx_mm, dtype=np.float64)
    reach = np.ceil((radius + SHELLS_MM[-1][1] + 1.0) / spacing).astype(int)
    window = window_around(index_zyx, (2 * int(reach[0]) + 1, 2 * int(reach[1]) + 1, 2 * int(reach[2]) + 1))
    hu = np.clip(volume.read_hu(window).astype(np.float32), LOWEST_HU, HIGHEST_HU)
    offset = np.asarray(window.start_zyx_vox) - index_zyx
    z, y, x = ((np.arange(side) + first) * size for side, first, size in zip(hu.shape, offset, spacing, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)
    return Neighbourhood(hu, (z, y, x), distance, spacing, radius)


def _distribution(around: Neighbourhood) -> dict[str, float]:
    """Return percentiles of the HU within the radius, and the shares of voxels above fixed HU."""
    inside = around.within(-1.0, around.radius_mm)
    found = dict(zip((f"hu_p{percent}" for percent in PERCENTILES), np.percentile(inside, PERCENTILES), strict=True))
    found |= {level_name(level): (inside > level).mean() for level in LEVELS_HU}
    return _floats(found)


def _surroundings(around: Neighbourhood) -> dict[str, float]:
    """Return mean and deviation of the HU, and the shares of tissue and of emphysema, in shells around the nodule."""
    found = {}
    for low, high in SHELLS_MM:
        hu, name = around.within(around.radius_mm + low, around.radius_mm + high), f"shell_{low}_{high}"
        found[f"{name}_hu"], found[f"{name}_deviation"] = hu.mean(), hu.std()
        found[f"{name}_tissue"], found[f"{name}_emphysema"] = (hu > TISSUE_HU).mean(), (hu < EMPHYSEMA_HU).mean()
    return _floats(found)


def _edge(around: Neighbourhood) -> dict[str, float]:
    """Return how steep the edge is (HU per mm), how unevenly, and how uneven the inside."""
    slopes = steepness(around.hu, EDGE_SIGMA_MM, around.spacing_zyx_mm)
    edge = slopes[
        (around.distance_mm > around.radius_mm - EDGE_INSIDE_MM)
        & (around.distance_mm <= around.radius_mm + EDGE_OUTSIDE_MM)
    ]
    core = slopes[around.distance_mm <= max(CORE_SHARE * around.radius_mm, LEAST_RADIUS_MM)]
    values = edge.mean(), edge.std(), np.percentile(edge, 90), core.mean()
    return _floats(dict(zip(EDGE, values, strict=True)))


def _blobs(around: Neighbourhood) -> dict[str, float]:
    """Return the scale-normalised Laplacian of Gaussian: at the centre, its lowest value inside, and its deviation.

    A bright blob of the radius sqrt(3) x scale has the lowest value at its centre (Lindeberg, IJCV 30, 1998).
    """
    found, inside = {}, around.distance_mm <= around.radius_mm + 1.0
    middle = np.unravel_index(int(np.argmin(around.distance_mm)), around.hu.shape)
    for scale in BLOB_MM:
        response = laplacian(around.hu, scale, around.spacing_zyx_mm) * scale**2
        found[f"blob_{scale}_centre"] = response[middle]
        found[f"blob_{scale}_lowest"], found[f"blob_{scale}_deviation"] = response[inside].min(), response[inside].std()
    return _floats(found)


def _floats(values: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}  # type: ignore[arg-type]
