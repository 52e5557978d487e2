"""Smooth fields on a coarse lattice, interpolated to a scan's voxels by separable cubic interpolation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

FloatArray = NDArray[np.float64]
Field = NDArray[np.float32]
MAX_NODES = 80
MIN_STEP_MM = 1.6
REACH = 1.06


@dataclass(frozen=True, slots=True)
class Lattice:
    """Coarse node positions (mm, body frame: LPS around the middle of the chest) along z, y and x."""

    z_mm: FloatArray
    y_mm: FloatArray
    x_mm: FloatArray
    step_mm: float

    @classmethod
    def covering(cls, half_zyx_mm: ArrayLike) -> "Lattice":
        """Return the lattice that reaches slightly beyond a box of these half sizes (mm)."""
        half = np.asarray(half_zyx_mm, dtype=np.float64) * REACH
        step = max(MIN_STEP_MM, float(2 * half.min() / MAX_NODES))
        counts = np.ceil(half / step).astype(int)
        z, y, x = (np.arange(-n, n + 1) * step for n in counts)
        return cls(z, y, x, step)

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Number of nodes along z, y, x."""
        return (self.z_mm.size, self.y_mm.size, self.x_mm.size)

    def coordinates(self) -> tuple[Field, Field, Field]:
        """Return z (Z,1,1), y (1,Y,1) and x (1,1,X) in mm, ready to broadcast."""
        z, y, x = (axis.astype(np.float32) for axis in (self.z_mm, self.y_mm, self.x_mm))
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def sample(self, field: Field, points_zyx_mm: ArrayLike) -> FloatArray:
        """Return the field at points (N, 3), linear between nodes, the border value beyond."""
        points = np.atleast_2d(np.asarray(points_zyx_mm, dtype=np.float64))
        first = np.array([self.z_mm[0], self.y_mm[0], self.x_mm[0]])
        index = (points - first) / self.step_mm
        return ndimage.map_coordinates(field, index.T, order=1, mode="nearest", output=np.float64)

    def smooth_noise(self, rng: np.random.Generator, length_mm: float) -> Field:
        """Return a random field (Z, Y, X) of mean 0 and deviation 1, correlated over about `length_mm`."""
        white = rng.standard_normal(self.shape_zyx, dtype=np.float32)
        smooth = ndimage.gaussian_filter(white, length_mm / self.step_mm, mode="wrap", truncate=2.5)
        return (smooth - smooth.mean()) / smooth.std()


@dataclass(frozen=True, slots=True)
class Taps:
    """The four lattice nodes (4, N) that each of N positions along one axis reads, and their weights (4, N)."""

    nodes: NDArray[np.int64]
    weights: Field

    def along(self, field: Field, axis: int) -> Field:
        """Return the field interpolated along an axis.

        Plain sums instead of a matrix product: BLAS threads of several worker processes would compete for cores.
        """
        shape = [1] * field.ndim
        shape[axis] = self.nodes.shape[1]
        total = np.take(field, self.nodes[0], axis) * self.weights[0].reshape(shape)
        for nodes, weights in zip(self.nodes[1:], self.weights[1:], strict=True):
            total += np.take(field, nodes, axis) * weights.reshape(shape)
        return np.asarray(total)

    def part(self, start: int, stop: int) -> "Taps":
        """Return the taps of positions [start, stop)."""
        return Taps(self.nodes[:, start:stop], self.weights[:, start:stop])


@dataclass(frozen=True, slots=True)
class VoxelField:
    """A coarse field that yields its values on the voxels of a scan, slab by slab."""

    half_way: Field
    """(Z, Y, X): coarse in z and y, voxels in x"""
    taps_z: Taps
    taps_y: Taps

    def slab(self, start: int, stop: int) -> Field:
        """Return the field on the voxels (stop - start, Y, X) of slices [start, stop)."""
        return self.taps_y.along(self.taps_z.part(start, stop).along(self.half_way, 0), 1)


def on_voxels(lattice: Lattice, field: Field, axes_mm: tuple[FloatArray, FloatArray, FloatArray]) -> VoxelField:
    """Return a lattice field on voxel centres at positions z, y, x (mm)."""
    nodes = (lattice.z_mm, lattice.y_mm, lattice.x_mm)
    z, y, x = (_cubic_taps(n, lattice.step_mm, targets) for n, targets in zip(nodes, axes_mm, strict=True))
    return VoxelField(x.along(field, 2), z, y)


def signed_distance(implicit: Field, step_mm: float, reach_mm: float) -> Field:
    """Turn an implicit function (negative inside) into mm near its border, clipped at +-`reach_mm`."""
    slopes = np.gradient(implicit, step_mm)
    steepness = np.sqrt(sum(slope * slope for slope in slopes))
    return np.clip(implicit / np.maximum(steepness, 0.2), -reach_mm, reach_mm).astype(np.float32)


def smooth_max(first: Field, second: Field, width: float) -> Field:
    """Return the maximum of two fields with the crease rounded over `width` (the fields' unit)."""
    blend = np.clip(0.5 + 0.5 * (first - second) / width, 0, 1)
    return second + (first - second) * blend + width * blend * (1 - blend)


def _cubic_taps(nodes_mm: FloatArray, step_mm: float, targets_mm: FloatArray) -> Taps:
    index = np.clip((targets_mm - nodes_mm[0]) / step_mm, 0, nodes_mm.size - 1)
    base = np.minimum(np.floor(index).astype(np.int64), nodes_mm.size - 2)
    t = index - base
    weights = np.stack(
        [
            (-(t**3) + 2 * t**2 - t) / 2,
            (3 * t**3 - 5 * t**2 + 2) / 2,
            (-3 * t**3 + 4 * t**2 + t) / 2,
            (t**3 - t**2) / 2,
        ]
    )
    nodes = np.stack([base - 1, base, base + 1, base + 2])
    return Taps(np.clip(nodes, 0, nodes_mm.size - 1), weights.astype(np.float32))
