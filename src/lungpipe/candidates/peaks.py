"""Local maxima of a centre detector's heat map, each with its centre and diameter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates.detections import Detections
from lungpipe.geometry import Grid

UNIT_DIAMETER_MM = 10.0
"""A network's diameter is log(mm / 10)."""
LARGEST_LOG = 3.0
"""Diameters are decoded to 0.5 to 200 mm; an untrained network's may not overflow."""
NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class CenterMaps:
    """Outputs of a centre detector over a box of a volume, on coarse voxels of `stride` voxels a side.

    `heatmap` (z, y, x) in [0, 1], `offset` (3, z, y, x) in voxels of the volume from the coarse voxel's centre (zyx),
    `log_diameter` (z, y, x) as log(mm / 10). The box starts at voxel `start_zyx_vox` of the volume.
    """

    heatmap: NDArray[np.float32]
    offset: NDArray[np.float32]
    log_diameter: NDArray[np.float32]
    stride: int
    start_zyx_vox: tuple[int, int, int] = (0, 0, 0)


def find_peaks(maps: CenterMaps, grid: Grid, threshold: float) -> Detections:
    """Return the local maxima of at least `threshold`; their scores are the heat map's values.

    A local maximum is not below any of its 26 neighbours (objects as points: Zhou, Wang and Kraehenbuehl, 2019). Of
    equal maxima that touch, the one first in memory is kept. The centre of coarse voxel i lies at voxel
    stride * i + (stride - 1) / 2 of the box; the offset is added to it. `grid` is the volume's.
    """
    # only where peaks are looked for, see `group_voxels`
    from scipy import ndimage

    largest = ndimage.maximum_filter(maps.heatmap, footprint=NEIGHBOURS, mode="constant", cval=-np.inf)
    is_peak = (maps.heatmap >= largest) & (maps.heatmap >= threshold)
    labels, _ = ndimage.label(is_peak, structure=NEIGHBOURS)
    places = np.flatnonzero(is_peak)
    _, first = np.unique(labels.ravel()[places], return_index=True)
    rows = places[first]
    index = np.stack(np.unravel_index(rows, maps.heatmap.shape), axis=1).astype(np.float64)
    offset = maps.offset.reshape(3, -1)[:, rows].T.astype(np.float64)
    center = maps.stride * index + (maps.stride - 1) / 2.0 + offset + np.asarray(maps.start_zyx_vox)
    log_diameter = np.clip(maps.log_diameter.ravel()[rows].astype(np.float64), -LARGEST_LOG, LARGEST_LOG)
    scores = maps.heatmap.ravel()[rows].astype(np.float64)
    return Detections(grid.to_world(center), UNIT_DIAMETER_MM * np.exp(log_diameter), scores)
