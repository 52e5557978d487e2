"""What a detector finds at given positions: the diameter that a scorer wants, and the detector's score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.geometry import Grid, window_around
from lungpipe.inference.detector import Detector
from lungpipe.volumes.volume import MemoryVolume, Volume

SIDE_MM = 64.0
"""Side of the cube around a position that the detector searches."""
REACH_MM = 5.0
"""A finding belongs to a position inside its radius, or within this distance."""
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Nearby:
    """Diameter (N,) in mm and detector's score (N,) of the finding at each position; NaN where nothing was found."""

    diameters_mm: FloatArray
    scores: FloatArray


def find_nearby(detector: Detector, volume: Volume, centers_zyx_mm: ArrayLike) -> Nearby:
    """Return what the detector finds in a cube around each world centre (N, 3) zyx: of several the highest score."""
    centers = np.reshape(np.asarray(centers_zyx_mm, dtype=np.float64), (-1, 3))
    found = Nearby(np.full(len(centers), np.nan), np.full(len(centers), np.nan))
    for row, center in enumerate(centers):
        detections = detector.detect(cut_cube(volume, center), region="whole")
        distances = np.linalg.norm(detections.centers_zyx_mm - center, axis=1)
        near = np.flatnonzero(distances <= np.maximum(detections.diameters_mm / 2.0, REACH_MM))
        if len(near):
            best = near[np.argmax(detections.scores[near])]
            found.diameters_mm[row], found.scores[row] = detections.diameters_mm[best], detections.scores[best]
    return found


def cut_cube(volume: Volume, center_zyx_mm: FloatArray) -> MemoryVolume:
    """Return the cube of SIDE_MM around a world centre (zyx); outside the volume the nearest voxels repeat."""
    spacing = np.asarray(volume.grid.spacing_zyx_mm)
    z, y, x = (round(side) for side in SIDE_MM / spacing)
    window = window_around(volume.grid.to_index(center_zyx_mm), (z, y, x))
    origin = volume.grid.to_world(np.asarray(window.start_zyx_vox, dtype=np.float64))
    grid = Grid(window.shape_zyx, volume.grid.spacing_zyx_mm, (float(origin[0]), float(origin[1]), float(origin[2])))
    return MemoryVolume(volume.series_uid, grid, volume.read_hu(window))
