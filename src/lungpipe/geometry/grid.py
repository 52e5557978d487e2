"""The grid of an image: the only place where xyz (files, SimpleITK, LUNA16's CSVs) becomes zyx (arrays)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]
Matrix = tuple[Triple, Triple, Triple]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape, spacing, origin and full direction matrix of a voxel array, all in zyx order.

    World coordinates are LPS millimetres, ordered (z, y, x). `origin_zyx_mm` is the centre of voxel (0, 0, 0).
    Column j of `direction_zyx` is the unit world vector along array axis j.

    Raises:
        ValueError: a shape or spacing that is not positive, or a direction that is not orthonormal.
    """

    shape_zyx: Shape
    spacing_zyx_mm: Triple = (1.0, 1.0, 1.0)
    origin_zyx_mm: Triple = (0.0, 0.0, 0.0)
    direction_zyx: Matrix = IDENTITY

    def __post_init__(self) -> None:
        if len(self.shape_zyx) != 3 or min(self.shape_zyx) < 1:
            raise ValueError(f"grid shape: expected three positive sizes, found {self.shape_zyx}")
        if len(self.spacing_zyx_mm) != 3 or not all(np.isfinite(s) and s > 0 for s in self.spacing_zyx_mm):
            raise ValueError(f"grid spacing: expected three positive lengths in mm, found {self.spacing_zyx_mm}")
        if not np.all(np.isfinite(self.origin_zyx_mm)):
            raise ValueError(f"grid origin: expected three finite numbers in mm, found {self.origin_zyx_mm}")
        matrix = np.asarray(self.direction_zyx, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-3):
            raise ValueError(f"grid direction: expected an orthonormal 3x3 matrix, found {matrix.tolist()}")

    @classmethod
    def from_xyz(
        cls, size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]
    ) -> "Grid":
        """Build from SimpleITK's or MetaImage's xyz order; `direction` is the row-major 3x3 of SimpleITK."""
        matrix = np.asarray(direction, dtype=np.float64).reshape(3, 3)[::-1, ::-1]
        return cls(
            shape_zyx=_ints(reversed(size)),
            spacing_zyx_mm=_floats(reversed(spacing)),
            origin_zyx_mm=_floats(reversed(origin)),
            direction_zyx=(_floats(matrix[0]), _floats(matrix[1]), _floats(matrix[2])),
        )

    @property
    def size_xyz(self) -> Shape:
        """Size in SimpleITK's order."""
        return _ints(reversed(self.shape_zyx))

    @property
    def spacing_xyz_mm(self) -> Triple:
        """Spacing in SimpleITK's order."""
        return _floats(reversed(self.spacing_zyx_mm))

    @property
    def origin_xyz_mm(self) -> Triple:
        """Origin in SimpleITK's order."""
        return _floats(reversed(self.origin_zyx_mm))

    @property
    def direction_xyz(self) -> tuple[float, ...]:
        """Row-major direction in SimpleITK's order."""
        return tuple(float(v) for v in np.asarray(self.direction_zyx)[::-1, ::-1].ravel())

    @property
    def is_axis_aligned(self) -> bool:
        """Whether the array axes run along +z, +y, +x."""
        return bool(np.allclose(self.direction_zyx, np.eye(3), atol=1e-6))

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm3."""
        return float(np.prod(self.spacing_zyx_mm))

    def to_world(self, index_zyx: ArrayLike) -> FloatArray:
        """Map continuous voxel indices (..., 3) zyx to world points (..., 3) zyx mm."""
        scaled = np.asarray(index_zyx, dtype=np.float64) * np.asarray(self.spacing_zyx_mm)
        return scaled @ np.asarray(self.direction_zyx).T + np.asarray(self.origin_zyx_mm)

    def to_index(self, world_zyx_mm: ArrayLike) -> FloatArray:
        """Map world points (..., 3) zyx mm to continuous voxel indices (..., 3) zyx."""
        offset = np.asarray(world_zyx_mm, dtype=np.float64) - np.asarray(self.origin_zyx_mm)
        inverse = np.linalg.inv(np.asarray(self.direction_zyx, dtype=np.float64))
        return (offset @ inverse.T) / np.asarray(self.spacing_zyx_mm)

    def contains(self, world_zyx_mm: ArrayLike) -> NDArray[np.bool_]:
        """Tell which world points (..., 3) lie in the box spanned by the voxels (half a voxel beyond their centres)."""
        index = self.to_index(world_zyx_mm)
        inside: NDArray[np.bool_] = np.all((index >= -0.5) & (index <= np.asarray(self.shape_zyx) - 0.5), axis=-1)
        return inside

    def resampled(self, spacing_zyx_mm: Triple) -> "Grid":
        """Return the axis-aligned grid of another spacing that spans the same voxel centres.

        Its origin is the smallest corner of the bounding box of this grid's voxel centres, so that a grid that is
        axis-aligned already keeps its origin.
        """
        corners = self.to_world(list(product(*((0, n - 1) for n in self.shape_zyx))))
        low, high = corners.min(axis=0), corners.max(axis=0)
        spacing = np.asarray(spacing_zyx_mm)
        # 1e-6: a span that is a whole number of steps must not lose its last voxel to rounding
        shape = np.floor((high - low) / spacing + 1e-6).astype(int) + 1
        return Grid(_ints(shape), _floats(spacing), _floats(low))


def _floats(values: object) -> Triple:
    z, y, x = (float(v) for v in values)  # type: ignore[attr-defined]
    return (z, y, x)


def _ints(values: object) -> Shape:
    z, y, x = (int(v) for v in values)  # type: ignore[attr-defined]
    return (z, y, x)
