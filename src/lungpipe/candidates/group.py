"""Group voxels above a threshold into lumps, each with its centre of mass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungpipe.geometry import Grid


@dataclass(frozen=True, slots=True)
class Lumps:
    """Detections of one scan: world centres (N, 3) zyx mm, diameters (N,) mm, scores (N,) in [0, 1]."""

    centers_zyx_mm: NDArray[np.float64]
    diameters_mm: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.intp]) -> "Lumps":
        """Return the given rows, in that order."""
        return Lumps(self.centers_zyx_mm[rows], self.diameters_mm[rows], self.scores[rows])

    @classmethod
    def empty(cls) -> "Lumps":
        """Return no lumps."""
        return cls(np.zeros((0, 3)), np.zeros(0), np.zeros(0))


def group_voxels(probability: NDArray[np.float32], grid: Grid, threshold: float, min_voxels: int) -> Lumps:
    """Group 26-connected voxels (zyx) above `threshold` into lumps of at least `min_voxels`.

    A lump's centre is its probability-weighted centre of mass, its score the largest probability in it, its diameter
    that of the sphere of its volume. Lumps by centre of mass: Stevens, Antiga and Viehmann, *Deep Learning with
    PyTorch*, ch. 14.
    """
    labels, count = ndimage.label(probability > threshold, structure=np.ones((3, 3, 3), dtype=bool))
    if count == 0:
        return Lumps.empty()
    # only the voxels in lumps are touched from here on: a handful beside the millions of a scan
    places = np.nonzero(labels)
    lump = labels[places] - 1
    weight = probability[places].astype(np.float64)
    sizes = np.bincount(lump, minlength=count)
    mass = np.bincount(lump, weights=weight, minlength=count)
    index = np.stack([np.bincount(lump, weights=weight * axis, minlength=count) / mass for axis in places], axis=1)
    peaks = np.zeros(count)
    np.maximum.at(peaks, lump, weight)
    volume_mm3 = sizes * grid.voxel_volume_mm3
    lumps = Lumps(grid.to_world(index), np.cbrt(6.0 * volume_mm3 / np.pi), peaks)
    return lumps.take(np.flatnonzero(sizes >= min_voxels))
