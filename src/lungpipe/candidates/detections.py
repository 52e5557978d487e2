"""Detections of one volume: centre, diameter, score, and a mask crop where the network has a mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class MaskCrop:
    """The mask (bool, zyx) of one detection inside a box that starts at voxel `start_zyx_vox` of the volume."""

    start_zyx_vox: tuple[int, int, int]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections of one volume, all arrays in the same order.

    World centres (N, 3) zyx in LPS mm, diameters (N,) in mm, scores (N,) in [0, 1]. Unknown diameters and scores are
    NaN, as for candidates of a dataset. `mask_crops` is None for a network without a mask.
    """

    centers_zyx_mm: NDArray[np.float64]
    diameters_mm: NDArray[np.float64]
    scores: NDArray[np.float64]
    mask_crops: tuple[MaskCrop, ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        shapes = (self.centers_zyx_mm.shape, self.diameters_mm.shape, self.scores.shape)
        if shapes != ((count, 3), (count,), (count,)):
            raise ValueError(f"detections: expected the shapes (N, 3), (N,) and (N,), found {shapes}")
        if self.mask_crops is not None and len(self.mask_crops) != count:
            raise ValueError(f"detections: expected {count} mask crops, found {len(self.mask_crops)}")

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.intp]) -> "Detections":
        """Return the given rows, in that order."""
        crops = None if self.mask_crops is None else tuple(self.mask_crops[int(row)] for row in rows)
        return Detections(self.centers_zyx_mm[rows], self.diameters_mm[rows], self.scores[rows], crops)

    @classmethod
    def empty(cls, *, has_masks: bool = False) -> "Detections":
        """Return no detections."""
        return cls(np.zeros((0, 3)), np.zeros(0), np.zeros(0), () if has_masks else None)
