"""Findings that are not nodules: scars, pleural plaques and micronodules, listed as exclusions."""

from dataclasses import dataclass

import numpy as np

from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.paint import Canvas

UNKNOWN_DIAMETER_MM = -1.0


@dataclass(frozen=True, slots=True)
class Decoy:
    """An ellipsoid in the body frame: centre, half axes (mm), their directions (columns of a 3x3), HU."""

    center_zyx_mm: tuple[float, float, float]
    half_axes_mm: tuple[float, float, float]
    axes_zyx: FloatArray
    value_hu: float
    diameter_mm: float
    """as listed: -1 for a scar or a plaque, the diameter of a micronodule"""


def draw_decoy(center_zyx_mm: FloatArray, normal_zyx: FloatArray, kind: str, rng: np.random.Generator) -> Decoy:
    """Draw a `scar`, `plaque` or `micronodule` at a point, flat against the direction `normal_zyx`."""
    z, y, x = (float(v) for v in center_zyx_mm)
    if kind == "micronodule":
        diameter = float(rng.uniform(1.8, 2.9))
        half = (diameter / 2, diameter / 2, diameter / 2)
        return Decoy((z, y, x), half, np.eye(3), float(rng.uniform(-20, 60)), diameter)
    axes = _frame(normal_zyx, rng)
    if kind == "plaque":
        half = (float(rng.uniform(1.2, 1.8)), float(rng.uniform(3.5, 6)), float(rng.uniform(3.5, 6)))
        value = float(rng.uniform(350, 700)) if rng.random() < 0.4 else 40.0
        return Decoy((z, y, x), half, axes, value, UNKNOWN_DIAMETER_MM)
    half = (float(rng.uniform(3.5, 6.5)), float(rng.uniform(0.8, 1.1)), float(rng.uniform(1.5, 3.5)))
    return Decoy((z, y, x), half, axes, float(rng.uniform(-120, 20)), UNKNOWN_DIAMETER_MM)


def paint_decoy(canvas: Canvas, decoy: Decoy, base_hu: float) -> None:
    """Paint a decoy over tissue of `base_hu`."""
    half = np.asarray(decoy.half_axes_mm)
    center = np.asarray(decoy.center_zyx_mm)
    reach = float(half.max()) + 2
    box = canvas.box(center - reach, center + reach)
    if any(s.stop <= s.start for s in box):
        return
    offsets = np.stack(np.broadcast_arrays(*canvas.offsets(box, center)), axis=-1).astype(np.float64)
    scaled = (offsets @ decoy.axes_zyx) / half
    ratio = np.maximum(np.sqrt((scaled**2).sum(axis=-1)), 1e-6)
    steepness = np.maximum(np.sqrt(((scaled / half) ** 2).sum(axis=-1)) / ratio, 1e-6)
    depth = np.minimum((1 - ratio) / steepness, half.min()).astype(np.float32)
    canvas.brighten(box, canvas.coverage(depth), decoy.value_hu, base_hu)


def _frame(normal_zyx: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return an orthonormal 3x3 whose first column is the normal."""
    basis, _ = np.linalg.qr(np.column_stack([normal_zyx, rng.normal(size=(3, 2))]))
    return np.asarray(basis)
