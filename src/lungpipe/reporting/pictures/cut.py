"""A part of a volume as an array with its own grid, and shapes drawn on pictures of that part."""

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lungpipe.candidates import MaskCrop
from lungpipe.datasets.nodule_masks import read_nodule_mask
from lungpipe.geometry import Grid, Window
from lungpipe.reporting.views import LUNG_WINDOW_HU, PLANES, Colour, Plane, View
from lungpipe.volumes.store import StoredVolume

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """HU (int16) and lung labels (uint8, 0 none) of a window (zyx), and the window's grid."""

    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8]
    grid: Grid

    @classmethod
    def read(cls, volume: StoredVolume, window: Window) -> "Cut":
        """Read a window of a volume; outside the volume is air and no lung."""
        origin = volume.grid.to_world(window.start_zyx_vox)
        grid = Grid(
            window.shape_zyx, volume.grid.spacing_zyx_mm, (float(origin[0]), float(origin[1]), float(origin[2]))
        )
        return cls(volume.read_hu(window, fill=LUNG_WINDOW_HU[0]), volume.read_lungs(window), grid)

    def view(self, plane: Plane, center_zyx_mm: Point, scale: float) -> View:
        """Return the whole plane nearest to a world position (LPS mm), `scale` pixels for a mm."""
        return View.through(self.grid.to_index(center_zyx_mm), self.grid, plane=plane, scale=scale)


def read_mask_on(path: Path, grid: Grid) -> NDArray[np.bool_]:
    """Return a nodule mask (bool, zyx) at the voxels of an axis-aligned grid, by its nearest voxel; False outside.

    Raises:
        ScanError: a file that is no nodule mask.
    """
    mask, own = read_nodule_mask(path)
    axes = np.meshgrid(*(np.arange(size) for size in grid.shape_zyx), indexing="ij")
    index = np.round(own.to_index(grid.to_world(np.stack(axes, axis=-1)))).astype(np.int64)
    is_in = ((index >= 0) & (index < np.asarray(own.shape_zyx))).all(axis=-1)
    found = np.zeros(grid.shape_zyx, dtype=bool)
    z, y, x = index[is_in].T
    found[is_in] = mask[z, y, x] > 0
    return found


def crop_in(window: Window, crop: MaskCrop) -> NDArray[np.bool_]:
    """Return a mask crop in a window of the same volume (bool, zyx); False outside the crop."""
    found = np.zeros(window.shape_zyx, dtype=bool)
    shift = np.subtract(crop.start_zyx_vox, window.start_zyx_vox)
    low, high = np.clip(shift, 0, window.shape_zyx), np.clip(shift + crop.mask.shape, 0, window.shape_zyx)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    own_z, own_y, own_x = (slice(int(a), int(b)) for a, b in zip(low - shift, high - shift, strict=True))
    found[z, y, x] = crop.mask[own_z, own_y, own_x]
    return found


def draw_circle(
    picture: Image.Image, view: View, grid: Grid, *, center_zyx_mm: Point, diameter_mm: float, colour: Colour
) -> None:
    """Draw the section of a sphere (LPS mm) with a plane; nothing where the plane does not meet the sphere."""
    axis = PLANES.index(view.plane)
    index = grid.to_index(center_zyx_mm)
    distance = (float(index[axis]) - view.index) * grid.spacing_zyx_mm[axis]
    squared = (diameter_mm / 2.0) ** 2 - distance**2
    if not squared > 0:
        return
    x, y = view.place(index, grid)
    reach = float(np.sqrt(squared)) * view.scale
    ImageDraw.Draw(picture).ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=2)


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a JPEG data URI; the same picture gives the same text."""
    stream = BytesIO()
    # full colour resolution: an outline is one or two pixels wide
    picture.save(stream, format="JPEG", quality=82, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
