"""The content of a viewer page: voxels, masks and candidates on one grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid

MAX_LABEL = 255
"""Masks of the page are bytes: a candidate with a larger number has no coloured voxels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One candidate or annotated nodule; unknown values are None.

    number: the label in the nodule mask, from 1. center_zyx_mm: LPS mm. slice_number: from 1 along the first axis of
    the scan's array. probability: of being a nodule. malignancy: given a nodule.
    """

    number: int
    center_zyx_mm: tuple[float, float, float]
    slice_number: int
    probability: float | None = None
    diameter_mm: float | None = None
    malignancy: float | None = None
    side: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The content of a page.

    hu: int16, zyx, on `grid`. scan_grid: the scan's own grid, on which slices are counted. lungs: labels (uint8, zyx,
    on `grid`; 0 none), None without lungs. nodules: numbers of the candidates (uint8, zyx, on `grid`; 0 elsewhere),
    None without masks. threshold: score from which candidates are shown at first. digest: stands for the series UID,
    which is not in the page. notes: sentences for the reader, without identifiers.

    Raises:
        ValueError: an array of another shape than the grid's, or of another type.
    """

    hu: NDArray[np.int16]
    grid: Grid
    scan_grid: Grid
    digest: str
    lungs: NDArray[np.uint8] | None = None
    nodules: NDArray[np.uint8] | None = None
    marks: tuple[Mark, ...] = ()
    threshold: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        arrays = {"hu": (self.hu, np.int16), "lungs": (self.lungs, np.uint8), "nodules": (self.nodules, np.uint8)}
        for name, (array, dtype) in arrays.items():
            if array is not None and (array.shape != self.grid.shape_zyx or array.dtype != dtype):
                expected = f"{np.dtype(dtype)} {self.grid.shape_zyx}"
                raise ValueError(f"{name}: expected {expected}, found {array.dtype} {array.shape}")

    @property
    def masks(self) -> dict[str, NDArray[np.uint8]]:
        """The arrays beside HU by name."""
        arrays = {"lungs": self.lungs, "nodules": self.nodules}
        return {name: array for name, array in arrays.items() if array is not None}


def as_bytes(labels: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
    """Return labels as bytes, 0 instead of labels above 255."""
    return np.where(labels <= MAX_LABEL, labels, 0).astype(np.uint8)


def describe_voxels(grid: Grid) -> str:
    """Return a sentence about the voxels of a page that shows a scan as the networks see it."""
    spacing = " × ".join(f"{step:g}" for step in grid.spacing_xyz_mm)
    return f"Voxels of {spacing} mm, as the networks see the scan."
