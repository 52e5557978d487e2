"""Slices of a volume as pictures: grey values in a HU window, and outlines of masks.

Drawn by Pillow, which takes milliseconds for a picture; matplotlib takes a third of a second.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungpipe.geometry import Grid

LUNG_WINDOW_HU = (-1000, 400)
"""Lung and soft tissue at once."""
Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
"""In the order of the array axes (z, y, x) that they are perpendicular to."""
Colour = tuple[int, int, int]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class View:
    """One plane of an axis-aligned volume (zyx), and the box of it that is shown.

    `index` is the voxel of the axis that the plane is perpendicular to; `box` are the rows and columns of voxels that
    are shown, `scale` pixels for a mm. Radiological convention: the patient's right is on the left of axial and coronal
    pictures, the head at the top of coronal and sagittal ones, the front on the left of sagittal ones.
    """

    plane: Plane
    index: int
    box: tuple[slice, slice]
    scale: float

    @classmethod
    def through(
        cls,
        index_zyx: NDArray[np.float64],
        grid: Grid,
        *,
        plane: Plane,
        scale: float,
        shown_zyx: tuple[slice, slice, slice] | None = None,
    ) -> "View":
        """Return the plane nearest to a continuous voxel index; `shown_zyx` are the shown voxels, by default all."""
        axis = PLANES.index(plane)
        nearest = int(np.clip(round(float(index_zyx[axis])), 0, grid.shape_zyx[axis] - 1))
        z, y, x = shown_zyx or (slice(0, size) for size in grid.shape_zyx)
        return cls(plane, nearest, _rows_and_columns(plane, (z, y, x)), scale)

    def picture(self, hu: NDArray[np.int16], grid: Grid) -> Image.Image:
        """Return the plane as an RGB picture in the window of lungs."""
        low, high = LUNG_WINDOW_HU
        grey = np.clip((self._cut(hu).astype(np.float32) - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)
        return Image.fromarray(grey).resize(self.size(grid), Image.Resampling.BICUBIC).convert("RGB")

    def outline(self, labels: NDArray[Any], grid: Grid) -> NDArray[np.bool_]:
        """Return the pixels (rows, columns) of the picture on the inner border of labels above 0 (volume's grid)."""
        enlarged = np.asarray(Image.fromarray(self._cut(labels) > 0).resize(self.size(grid), Image.Resampling.NEAREST))
        # a border that the box cuts is no border of the mask
        framed = np.pad(enlarged, 1, constant_values=True)
        inner = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
        edge: NDArray[np.bool_] = enlarged & ~inner
        return edge

    def resized(self, values: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
        """Return the plane of an array of numbers in the picture's rows and columns, linear between voxels."""
        enlarged = Image.fromarray(self._cut(values).astype(np.float32)).resize(
            self.size(grid), Image.Resampling.BILINEAR
        )
        return np.asarray(enlarged, dtype=np.float32)

    def size(self, grid: Grid) -> tuple[int, int]:
        """Return width and height of the picture, pixels."""
        rows, columns = (side.stop - side.start for side in self.box)
        tall, wide = _rows_and_columns(self.plane, grid.spacing_zyx_mm)
        return max(1, round(columns * wide * self.scale)), max(1, round(rows * tall * self.scale))

    def place(self, index_zyx: NDArray[np.float64], grid: Grid) -> tuple[float, float]:
        """Return the pixel (x, y) of a continuous voxel index."""
        z, y, x = (float(value) for value in index_zyx)
        row, column = _rows_and_columns(self.plane, (z, y, x))
        tall, wide = _rows_and_columns(self.plane, grid.spacing_zyx_mm)
        down = (row - self.box[0].start + 0.5) * tall * self.scale
        right = (column - self.box[1].start + 0.5) * wide * self.scale
        return right, down if self.plane == "axial" else self.size(grid)[1] - down

    def _cut(self, array: NDArray[Any]) -> NDArray[Any]:
        part = array.take(self.index, axis=PLANES.index(self.plane))[self.box]
        return np.ascontiguousarray(part if self.plane == "axial" else part[::-1])


def _rows_and_columns(plane: Plane, zyx: tuple[Value, Value, Value]) -> tuple[Value, Value]:
    """Return the values of the rows and the columns of a plane's picture among those of z, y and x."""
    z, y, x = zyx
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[plane]


def paint(picture: Image.Image, pixels: NDArray[np.bool_], colour: Colour) -> Image.Image:
    """Return the picture with the given pixels (rows, columns) in a colour."""
    values = np.array(picture)
    values[pixels] = colour
    return Image.fromarray(values)


def beside(pictures: list[Image.Image], gap: int) -> Image.Image:
    """Return pictures of one height beside each other on black."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    joined = Image.new("RGB", (width, max(picture.height for picture in pictures)))
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width + gap
    return joined
