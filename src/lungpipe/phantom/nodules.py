"""Nodules as star-shaped bodies whose volume and centroid are known exactly."""

from dataclasses import dataclass

import numpy as np

from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.paint import Box, Canvas, Image, Tubes
from lungpipe.phantom.ratings import Appearance

NUM_DIRECTIONS = 1500
SHARPNESS = 9.0
LUNG_BASE_HU = -930.0
"""HU of the darkest parenchyma, mixed with bright objects in partly filled voxels."""


@dataclass(frozen=True, slots=True)
class Nodule:
    """One nodule in the body frame: centroid (zyx mm), traits, ratings, and the seed of its shape."""

    center_zyx_mm: tuple[float, float, float]
    appearance: Appearance
    malignancy_ratings: tuple[int, ...]
    shape_seed: int


@dataclass(frozen=True, slots=True)
class StarShape:
    """A body whose surface is at radius r(direction) around `hub_zyx_mm` (relative to the centroid), in mm.

    r = base * (1 + sum of height * exp(sharpness * (direction . bump - 1))), after a stretch of determinant 1.
    """

    base_mm: float
    bumps: FloatArray
    heights: FloatArray
    sharpness: float
    stretch: FloatArray
    hub_zyx_mm: FloatArray

    @classmethod
    def drawn(cls, diameter_mm: float, lobulation: float, rng: np.random.Generator) -> "StarShape":
        """Draw a body with the volume of a sphere of that diameter (mm) and its centroid at the origin."""
        count = int(rng.integers(5, 10))
        bumps = _unit(rng.normal(size=(count, 3)))
        heights = lobulation * rng.uniform(0.4, 1.0, count)
        stretch = _stretch(rng)
        directions = _sphere_directions()
        relative = _relative_radius(directions, bumps, heights, SHARPNESS)
        base = diameter_mm / 2 / float(np.mean(relative**3)) ** (1 / 3)
        # centroid of a star-shaped body: integral of r^4/4 n over integral of r^3/3
        centroid = 0.75 * base * (relative[:, None] ** 4 * directions).mean(axis=0) / np.mean(relative**3)
        return cls(base, bumps, heights, SHARPNESS, stretch, -stretch @ centroid)

    def depth(self, offsets_zyx_mm: FloatArray) -> FloatArray:
        """Return the depth (about mm; positive inside) at offsets (..., 3) from the centroid."""
        local = (offsets_zyx_mm - self.hub_zyx_mm) @ np.linalg.inv(self.stretch).T
        distance = np.sqrt((local**2).sum(axis=-1))
        directions = local / np.maximum(distance, 1e-6)[..., None]
        return self.base_mm * _relative_radius(directions, self.bumps, self.heights, self.sharpness) - distance

    @property
    def reach_mm(self) -> float:
        """A radius that contains the whole body."""
        return float(self.base_mm * (1 + self.heights.sum()) * np.linalg.norm(self.stretch, 2)) + float(
            np.linalg.norm(self.hub_zyx_mm)
        )


def nodule_shape(nodule: Nodule) -> StarShape:
    """Return the body of a nodule, the same in every scan."""
    lobulation = {"smooth": 0.08, "lobulated": 0.55, "spiculated": 0.6}[nodule.appearance.margin]
    rng = np.random.default_rng(nodule.shape_seed)
    return StarShape.drawn(nodule.appearance.diameter_mm, lobulation, rng)


def paint_nodule(canvas: Canvas, nodule: Nodule) -> None:
    """Paint body, core and spicules of a nodule."""
    shape, look = nodule_shape(nodule), nodule.appearance
    rng = np.random.default_rng((nodule.shape_seed, 1))
    center = np.asarray(nodule.center_zyx_mm)
    box, offsets = _offsets_around(canvas, center, shape.reach_mm + 3)
    if 0 in offsets.shape:
        return
    depth = shape.depth(offsets).astype(np.float32)
    radius = look.diameter_mm / 2
    if look.texture == "solid":
        body, edge = rng.uniform(0, 60), canvas.edge_mm * (1.0 if look.margin == "smooth" else 1.25)
        canvas.brighten(box, canvas.coverage(depth, edge), body, LUNG_BASE_HU)
    else:
        _paint_glass(canvas, box, depth, rng)
    if look.texture == "part_solid":
        core = StarShape.drawn(look.diameter_mm * rng.uniform(0.45, 0.62), 0.3, rng)
        shifted = offsets - rng.uniform(-0.15, 0.15, 3) * radius
        canvas.lighten(box, canvas.coverage(core.depth(shifted).astype(np.float32)), rng.uniform(-30, 40))
    if look.is_calcified:
        bright = depth - np.float32(radius * rng.uniform(0.25, 0.5))
        canvas.lighten(box, canvas.coverage(bright, 1.5 * canvas.edge_mm), rng.uniform(350, 800))
    if look.margin == "spiculated":
        for spicule_box, coverage in canvas.tube_coverages(_spicules(nodule, rng)):
            canvas.brighten(spicule_box, coverage, 0.0 if look.texture == "solid" else -250.0, LUNG_BASE_HU)


def _paint_glass(canvas: Canvas, box: Box, depth: Image, rng: np.random.Generator) -> None:
    """Fill a body with ground glass, at least 150 HU above the lung, grainy and with a soft edge."""
    value = rng.uniform(-620, -450) + 35 * rng.standard_normal(depth.shape).astype(np.float32)
    canvas.brighten(box, canvas.coverage(depth, 1.8 * canvas.edge_mm), value, LUNG_BASE_HU)


def _spicules(nodule: Nodule, rng: np.random.Generator) -> Tubes:
    """Return thin rays from inside the body outward; they are not part of the measured body."""
    radius = nodule.appearance.diameter_mm / 2
    count = int(rng.integers(10, 18))
    directions = _unit(rng.normal(size=(count, 3)))
    length = radius + rng.uniform(1.5, 3.5, count) + rng.uniform(0.3, 0.8, count) * radius
    center = np.asarray(nodule.center_zyx_mm)
    starts, ends = center + 0.6 * radius * directions, center + length[:, None] * directions
    return Tubes(starts, ends, np.full(count, 0.8 + 0.12 * radius), np.full(count, 0.35))


def _offsets_around(canvas: Canvas, center_zyx_mm: FloatArray, reach_mm: float) -> tuple[Box, FloatArray]:
    box = canvas.box(center_zyx_mm - reach_mm, center_zyx_mm + reach_mm)
    grids = np.broadcast_arrays(*canvas.offsets(box, center_zyx_mm))
    return box, np.stack(grids, axis=-1).astype(np.float64)


def _relative_radius(directions: FloatArray, bumps: FloatArray, heights: FloatArray, sharpness: float) -> FloatArray:
    swell = np.exp(sharpness * (directions @ bumps.T - 1)) @ heights
    return np.asarray(1 + swell)


def _stretch(rng: np.random.Generator) -> FloatArray:
    """Return a random symmetric matrix of determinant 1: a body is at most about 1.3 times as long as wide."""
    lengths = np.exp(rng.normal(0, 0.12, 3))
    lengths /= lengths.prod() ** (1 / 3)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray(axes @ np.diag(lengths) @ axes.T)


def _sphere_directions() -> FloatArray:
    """Return evenly spread unit vectors (Fibonacci lattice)."""
    i = np.arange(NUM_DIRECTIONS) + 0.5
    polar, turn = np.arccos(1 - 2 * i / NUM_DIRECTIONS), np.pi * (1 + 5**0.5) * i
    return np.stack([np.cos(polar), np.sin(polar) * np.sin(turn), np.sin(polar) * np.cos(turn)], axis=1)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
