"""Paint tubes and ellipsoids into a scan, each within its own bounding box and with partial-volume edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Tubes:
    """Straight pieces with round ends: end points (N, 3) zyx mm and radii (N,) mm at both ends."""

    starts_zyx_mm: FloatArray
    ends_zyx_mm: FloatArray
    start_radii_mm: FloatArray
    end_radii_mm: FloatArray

    @classmethod
    def along(cls, path_zyx_mm: ArrayLike, radii_mm: ArrayLike) -> "Tubes":
        """Return the pieces of one path (P, 3) whose radius at each point is given (or one for all)."""
        path = np.asarray(path_zyx_mm, dtype=np.float64)
        radii = np.broadcast_to(np.asarray(radii_mm, dtype=np.float64), path.shape[:1])
        return cls(path[:-1], path[1:], radii[:-1], radii[1:])

    @classmethod
    def joined(cls, parts: list["Tubes"]) -> "Tubes":
        """Return all pieces of several tubes; raises ValueError for an empty list."""
        return cls(
            np.concatenate([p.starts_zyx_mm for p in parts]),
            np.concatenate([p.ends_zyx_mm for p in parts]),
            np.concatenate([p.start_radii_mm for p in parts]),
            np.concatenate([p.end_radii_mm for p in parts]),
        )

    def grown(self, margin_mm: float) -> "Tubes":
        """Return the same pieces with larger (or smaller) radii."""
        return Tubes(
            self.starts_zyx_mm,
            self.ends_zyx_mm,
            np.maximum(self.start_radii_mm + margin_mm, 0.0),
            np.maximum(self.end_radii_mm + margin_mm, 0.0),
        )

    def distance(self, points_zyx_mm: ArrayLike) -> FloatArray:
        """Return the distance (mm) of points (M, 3) to the nearest surface; negative inside."""
        points = np.atleast_2d(np.asarray(points_zyx_mm, dtype=np.float64))[:, None, :]
        axis = self.ends_zyx_mm - self.starts_zyx_mm
        length2 = np.maximum((axis**2).sum(axis=1), 1e-9)
        t = np.clip(((points - self.starts_zyx_mm) * axis).sum(axis=2) / length2, 0, 1)
        nearest = self.starts_zyx_mm + t[..., None] * axis
        radius = self.start_radii_mm + t * (self.end_radii_mm - self.start_radii_mm)
        gap: FloatArray = np.sqrt(((points - nearest) ** 2).sum(axis=2)) - radius
        return gap.min(axis=1)


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image (float32 HU, zyx) over voxel centres at regular positions of the body frame (mm)."""

    hu: Image
    z_mm: FloatArray
    y_mm: FloatArray
    x_mm: FloatArray
    edge_mm: float
    """width over which an edge passes from outside to inside"""

    @property
    def axes_mm(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Voxel centres along z, y, x."""
        return self.z_mm, self.y_mm, self.x_mm

    def boxes(self, lows_zyx_mm: FloatArray, highs_zyx_mm: FloatArray) -> list[Box]:
        """Return the voxels between pairs of corners (N, 3) mm, clipped to the image; slices may be empty."""
        first = np.array([axis[0] for axis in self.axes_mm])
        step = np.array([axis[1] - axis[0] for axis in self.axes_mm])
        starts = np.clip(np.ceil((lows_zyx_mm - first) / step), 0, self.hu.shape).astype(int)
        stops = np.clip(np.floor((highs_zyx_mm - first) / step) + 1, starts, self.hu.shape).astype(int)
        pairs = zip(starts.tolist(), stops.tolist(), strict=True)
        return [(slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])) for a, b in pairs]

    def box(self, low_zyx_mm: FloatArray, high_zyx_mm: FloatArray) -> Box:
        """Return the voxels between two corners (mm), clipped to the image; slices may be empty."""
        return self.boxes(low_zyx_mm[None], high_zyx_mm[None])[0]

    def offsets(self, box: Box, point_zyx_mm: ArrayLike) -> tuple[Image, Image, Image]:
        """Return the box's z (Z,1,1), y (1,Y,1) and x (1,1,X) distances from a point, mm."""
        point = np.asarray(point_zyx_mm, dtype=np.float64)
        z = (self.z_mm[box[0]] - point[0]).astype(np.float32)
        y = (self.y_mm[box[1]] - point[1]).astype(np.float32)
        x = (self.x_mm[box[2]] - point[2]).astype(np.float32)
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def coverage(self, depth_mm: Image, edge_mm: float | None = None) -> Image:
        """Return the share of each voxel that an object of this depth (mm, positive inside) fills."""
        return np.clip(0.5 + depth_mm / (self.edge_mm if edge_mm is None else edge_mm), 0, 1)

    def brighten(self, box: Box, coverage: Image, value_hu: float | Image, base_hu: float) -> None:
        """Raise voxels to the mixture of `value_hu` and `base_hu`; brighter voxels stay."""
        view = self.hu[box]
        np.maximum(view, base_hu + coverage * (value_hu - base_hu), out=view)

    def lighten(self, box: Box, coverage: Image, value_hu: float | Image) -> None:
        """Mix `value_hu` into voxels by coverage where that makes them brighter."""
        view = self.hu[box]
        np.maximum(view, view + coverage * (value_hu - view), out=view)

    def replace(self, box: Box, coverage: Image, value_hu: float | Image) -> None:
        """Mix `value_hu` into voxels by coverage."""
        view = self.hu[box]
        view += coverage * (value_hu - view)

    def tube_coverages(self, tubes: Tubes) -> list[tuple[Box, Image]]:
        """Return box and coverage of each piece that touches the image; hair-thin pieces stay faint."""
        radii = np.maximum(tubes.start_radii_mm, tubes.end_radii_mm)[:, None] + self.edge_mm
        lows = np.minimum(tubes.starts_zyx_mm, tubes.ends_zyx_mm) - radii
        highs = np.maximum(tubes.starts_zyx_mm, tubes.ends_zyx_mm) + radii
        found = []
        for i, box in enumerate(self.boxes(lows, highs)):
            if all(s.stop > s.start for s in box):
                found.append((box, self._piece_coverage(tubes, i, box)))
        return found

    def _piece_coverage(self, tubes: Tubes, i: int, box: Box) -> Image:
        z, y, x = self.offsets(box, tubes.starts_zyx_mm[i])
        vz, vy, vx = (np.float32(v) for v in tubes.ends_zyx_mm[i] - tubes.starts_zyx_mm[i])
        length2 = max(float(vz * vz + vy * vy + vx * vx), 1e-9)
        t = np.clip((z * vz + y * vy + x * vx) / np.float32(length2), 0, 1)
        distance = np.sqrt((z - t * vz) ** 2 + (y - t * vy) ** 2 + (x - t * vx) ** 2)
        first, last = np.float32(tubes.start_radii_mm[i]), np.float32(tubes.end_radii_mm[i])
        radius = first + t * (last - first)
        return self.coverage(radius - distance) * np.minimum(1, 2 * radius / np.float32(self.edge_mm))
