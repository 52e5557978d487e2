"""The simulated scanner: grid and position, reconstruction kernel, noise, table, circular field of view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungpipe.geometry import Grid
from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.paint import Image
from lungpipe.settings import PhantomSettings

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
"""LUNA16's `TransformMatrix = -1 0 0 0 -1 0 0 0 1`, in zyx order."""
MIN_HU, MAX_HU = -1024, 3071


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Grid of one scan, its position in the world, and its image quality."""

    grid: Grid
    """as written, possibly flipped"""
    axes_mm: tuple[FloatArray, FloatArray, FloatArray]
    """voxel centres along z, y, x in the body frame, ascending"""
    shift_zyx_mm: FloatArray
    """world = body frame + shift"""
    is_flipped: bool
    noise_hu: float
    is_sharp: bool
    has_table: bool
    has_circular_field: bool

    def to_world(self, points_zyx_mm: FloatArray) -> FloatArray:
        """Map body-frame points (..., 3) to world points, LPS mm zyx."""
        return np.asarray(points_zyx_mm) + self.shift_zyx_mm

    def as_stored(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an array over ascending axes (zyx) in the order of the written grid."""
        return array[:, ::-1, ::-1] if self.is_flipped else array


def draw_acquisition(settings: PhantomSettings, is_flipped: bool, rng: np.random.Generator) -> Acquisition:
    """Draw the acquisition of a scan."""
    extent = settings.extent_zyx_mm
    slice_mm = round(float(rng.uniform(*settings.slice_spacing_mm)), 3)
    pixel_mm = round(float(rng.uniform(*settings.in_plane_spacing_mm)), 6)
    shape = (int(extent[0] / slice_mm), int(extent[1] / pixel_mm), int(extent[2] / pixel_mm))
    if settings.matrix_size is not None:
        pixel_mm = round(extent[2] / settings.matrix_size, 6)
        shape = (shape[0], settings.matrix_size, settings.matrix_size)
    spacing = (slice_mm, pixel_mm, pixel_mm)
    z, y, x = (
        np.asarray((np.arange(n) - (n - 1) / 2) * step, dtype=np.float64)
        for n, step in zip(shape, spacing, strict=True)
    )
    middle = np.array([rng.uniform(-500, 900), rng.uniform(-60, 200), rng.uniform(-40, 40)])
    first = np.array([z[0], y[0], x[0]])
    low = np.round(middle + first, 6)
    shift = low - first
    far = low + np.array([0.0, y[-1] - y[0], x[-1] - x[0]])
    corner = np.round(far, 6) if is_flipped else low
    origin = (float(corner[0]), float(corner[1]), float(corner[2]))
    grid = Grid(shape, spacing, origin, FLIPPED) if is_flipped else Grid(shape, spacing, origin)
    is_sharp = bool(rng.random() < 0.4)
    return Acquisition(
        grid=grid,
        axes_mm=(z, y, x),
        shift_zyx_mm=shift,
        is_flipped=is_flipped,
        noise_hu=settings.noise_hu * float(rng.uniform(1.1, 1.8) if is_sharp else rng.uniform(0.5, 1.2)),
        is_sharp=is_sharp,
        has_table=bool(rng.random() < 0.7),
        has_circular_field=bool(rng.random() < 0.3),
    )


def reconstruct(image: Image, noise_scale: Image, scan: Acquisition, rng: np.random.Generator) -> Image:
    """Return slices (k, Y, X) HU as the kernel shows them, with correlated noise of local scale `noise_scale`."""
    if scan.is_sharp:
        shown = image + 0.6 * (image - _blur(image, 1.1))
        noise = _blur(rng.standard_normal(image.shape, dtype=np.float32), 0.5) / _white_gain(0.5)
    else:
        shown = _blur(image, 0.6 / scan.grid.spacing_zyx_mm[2])
        noise = _blur(rng.standard_normal(image.shape, dtype=np.float32), 0.9) / _white_gain(0.9)
    return shown + np.float32(scan.noise_hu) * noise_scale * noise


def table_coverage(scan: Acquisition, body_back_mm: float) -> Image:
    """Return the share of each pixel (Y, X) that the patient table below the back fills."""
    _, y, x = scan.axes_mm
    surface = body_back_mm + 2.0 - 0.0009 * x**2
    depth = 1.2 - np.abs(y[:, None] - surface[None, :])
    return np.clip(0.5 + depth / scan.grid.spacing_zyx_mm[1], 0, 1).astype(np.float32)


def outside_field(scan: Acquisition) -> NDArray[np.bool_]:
    """Return the pixels (Y, X) outside the circle that the scanner reconstructs."""
    _, y, x = scan.axes_mm
    squared: NDArray[np.bool_] = y[:, None] ** 2 + x[None, :] ** 2 > max(abs(x[0]), abs(y[0])) ** 2
    return squared


def _blur(image: Image, sigma_vox: float) -> Image:
    once = ndimage.gaussian_filter1d(image, sigma_vox, axis=1, truncate=3.0)
    return ndimage.gaussian_filter1d(once, sigma_vox, axis=2, truncate=3.0)


def _white_gain(sigma_vox: float) -> float:
    """Return the deviation of white noise of deviation 1 after the blur in two axes."""
    impulse = np.zeros(33)
    impulse[16] = 1
    return float((ndimage.gaussian_filter1d(impulse, sigma_vox, truncate=3.0) ** 2).sum())
