"""The soft parts of a chest as coarse fields: skin, muscle, mediastinum, diaphragm and two lungs."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lungpipe.phantom.fields import Field, FloatArray, Lattice, signed_distance, smooth_max

ADULT_WIDTH_MM = 380.0
"""Field of view at which the anatomy has its natural size; smaller ones shrink it, nodules stay in mm."""
AIR_HU, FAT_HU, MUSCLE_HU = -1000.0, -105.0, 45.0


@dataclass(frozen=True, slots=True)
class Chest:
    """Properties drawn once per patient: half sizes (mm) and traits of the chest."""

    half_zyx_mm: FloatArray
    scale: float
    """size against an adult chest"""
    body_yx_mm: tuple[float, float]
    """half axes of the skin"""
    cavity_yx_mm: tuple[float, float]
    """half axes of the thoracic cavity"""
    fat_mm: float
    blood_hu: float
    lung_hu: float

    @classmethod
    def drawn(cls, extent_zyx_mm: tuple[float, float, float], rng: np.random.Generator) -> "Chest":
        """Draw a chest that fills a field of view of this extent (mm)."""
        half = np.asarray(extent_zyx_mm, dtype=np.float64) / 2
        scale = float(extent_zyx_mm[2] / ADULT_WIDTH_MM)
        body_y, body_x = half[1] * rng.uniform(0.78, 0.84), half[2] * rng.uniform(0.86, 0.92)
        fat = max(2.0, rng.uniform(6, 20) * scale)
        wall = fat + max(6.0, 22 * scale)
        has_contrast = rng.random() < 0.4
        return cls(
            half_zyx_mm=half,
            scale=scale,
            body_yx_mm=(body_y, body_x),
            cavity_yx_mm=(body_y - wall, body_x - wall),
            fat_mm=fat,
            blood_hu=rng.uniform(110, 180) if has_contrast else rng.uniform(45, 65),
            lung_hu=rng.uniform(-910, -835),
        )

    def width_profile(self, z_mm: Field) -> Field:
        """Return the cavity's relative width at each height: full below, a dome at the apices."""
        height = np.clip(z_mm / np.float32(0.9 * self.half_zyx_mm[0]), -1, 1.2)
        return np.sqrt(np.maximum(1 - np.maximum(height, 0) ** 4, 1e-3)) + 0.03 * np.maximum(-height, 0)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Coarse fields of a chest: signed distances (mm, negative inside) and HU."""

    chest: Chest
    lattice: Lattice
    body_mm: Field
    muscle_mm: Field
    tissue_hu: Field
    """HU inside the muscle layer, before bones, vessels and lungs"""
    lungs_mm: Field
    parenchyma_hu: Field
    hila_zyx_mm: FloatArray
    """(2, 3): where vessels and bronchi enter the left and the right lung"""

    def depth_in_lung(self, points_zyx_mm: FloatArray) -> FloatArray:
        """Return the depth (mm) of points (N, 3) in a lung; negative outside."""
        return -self.lattice.sample(self.lungs_mm, points_zyx_mm)

    def lung_points(self, side: int, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw points (count, 3) zyx mm uniformly in the left (side 0) or right (side 1) lung."""
        inside = np.argwhere(self.lungs_mm < -0.5 * self.lattice.step_mm)
        x = self.lattice.x_mm[inside[:, 2]]
        inside = inside[x > 0] if side == 0 else inside[x < 0]
        chosen = inside[rng.integers(len(inside), size=count)] + rng.uniform(-0.5, 0.5, (count, 3))
        first = np.array([self.lattice.z_mm[0], self.lattice.y_mm[0], self.lattice.x_mm[0]])
        return first + chosen * self.lattice.step_mm

    def lung_volume_ml(self, side: int) -> float:
        """Return the volume of the left (0) or right (1) lung, ml."""
        half = self.lungs_mm[:, :, self.lattice.x_mm > 0] if side == 0 else self.lungs_mm[:, :, self.lattice.x_mm < 0]
        return float((half < 0).sum()) * self.lattice.step_mm**3 / 1000


def build_anatomy(chest: Chest, rng: np.random.Generator) -> Anatomy:
    """Build the fields of one patient's chest."""
    lattice = Lattice.covering(chest.half_zyx_mm)
    z, y, x = lattice.coordinates()
    reach = 6 * lattice.step_mm
    body, muscle = _skin_and_muscle(chest, z, y, x)
    wobble = lattice.smooth_noise(rng, 26 * chest.scale + 4)
    middle, heart = _mediastinum(chest, (z, y, x), rng)
    cavity = _ellipse(y, x, chest.cavity_yx_mm, chest.width_profile(z))
    diaphragm = _diaphragm(chest, (z, y, x), rng)
    rounding = 10 * chest.scale + 1
    lungs = smooth_max(smooth_max(cavity, -np.minimum(middle, heart), rounding), diaphragm, rounding)
    lungs = _without_islands(lungs + 2.5 * chest.scale * wobble, lattice)
    lungs_mm = signed_distance(lungs, lattice.step_mm, reach)
    grain = lattice.smooth_noise(rng, max(2.2, 5 * chest.scale))
    return Anatomy(
        chest=chest,
        lattice=lattice,
        body_mm=signed_distance(body + 0 * z, lattice.step_mm, reach),
        muscle_mm=signed_distance(muscle + 0.3 * chest.fat_mm * wobble, lattice.step_mm, reach),
        tissue_hu=_tissue(chest, (cavity, heart, diaphragm), (x, grain, wobble)),
        lungs_mm=lungs_mm,
        parenchyma_hu=_parenchyma(chest, y, grain, wobble),
        hila_zyx_mm=_hila(chest, lattice, lungs_mm),
    )


def _without_islands(lungs: Field, lattice: Lattice) -> Field:
    """Close the pockets of air that the mediastinum cuts off: each side keeps its largest piece."""
    pieces, _ = ndimage.label(lungs < 0)
    kept = np.zeros(lungs.shape, dtype=bool)
    for side in (lattice.x_mm > 0, lattice.x_mm < 0):
        sizes = np.bincount(pieces[:, :, side].ravel())
        sizes[0] = 0
        kept |= (pieces == int(np.argmax(sizes))) & side
    return np.where((lungs < 0) & ~kept, np.float32(lattice.step_mm), lungs)


def _ellipse(y: Field, x: Field, half_yx_mm: tuple[float, float], profile: Field | float = 1.0) -> Field:
    half_y, half_x = (np.float32(v) for v in half_yx_mm)
    ratio = np.sqrt((y / (half_y * profile)) ** 2 + (x / (half_x * profile)) ** 2)
    return (ratio - 1) * np.float32(0.5 * (half_y + half_x)) * profile


def _skin_and_muscle(chest: Chest, z: Field, y: Field, x: Field) -> tuple[Field, Field]:
    half_y, half_x = chest.body_yx_mm
    taper = 1 - 0.1 * np.clip(z / np.float32(chest.half_zyx_mm[0]), 0, 1) ** 3

    def rounded_box(inset: float) -> Field:
        ratio = np.abs(y / np.float32(half_y - inset)) ** 2.4 + np.abs(x / (np.float32(half_x - inset) * taper)) ** 2.4
        return (ratio ** np.float32(1 / 2.4) - 1) * np.float32(half_y)

    return rounded_box(0.0), rounded_box(chest.fat_mm)


def _mediastinum(chest: Chest, position: tuple[Field, Field, Field], rng: np.random.Generator) -> tuple[Field, Field]:
    """Implicit mm of the middle column (with the spine) and of the heart, which bulges to the left."""
    z, y, x = position
    half_z = chest.half_zyx_mm[0]
    depth, width = chest.cavity_yx_mm
    flare = 0.17 + 0.06 * np.exp(-(((z + 0.1 * half_z) / np.float32(0.45 * half_z)) ** 2))
    narrow = 1 - 0.72 * np.clip(-y / np.float32(0.8 * depth), 0, 1) ** 1.5
    column = (np.abs(x) / (np.float32(width) * flare * narrow) - 1) * np.float32(width) * flare * narrow
    spine = np.sqrt(((y - 0.86 * depth) / 1.0) ** 2 + x**2) - np.float32(0.36 * depth)
    aorta = np.sqrt((y - 0.48 * depth) ** 2 + (x - 0.2 * width) ** 2) - np.float32(0.2 * depth)
    middle = np.minimum(np.minimum(column, spine), aorta + 0.3 * np.maximum(z - 0.35 * half_z, 0))
    center = (-0.42 * half_z, -0.3 * depth, rng.uniform(0.16, 0.24) * width)
    radii = (0.5 * half_z, 0.55 * depth, rng.uniform(0.36, 0.44) * width)
    ratio = sum(((p - c) / np.float32(r)) ** 2 for p, c, r in zip(position, center, radii, strict=True))
    heart = (np.sqrt(ratio) - 1) * np.float32(np.mean(radii))
    return middle, heart


def _diaphragm(chest: Chest, position: tuple[Field, Field, Field], rng: np.random.Generator) -> Field:
    """Positive mm below the two domes; the right dome is higher."""
    z, y, x = position
    half_z, (depth, width) = chest.half_zyx_mm[0], chest.cavity_yx_mm
    top_right = rng.uniform(-0.5, -0.38)
    tops = (top_right - rng.uniform(0.05, 0.14), top_right)
    surface = np.full(np.broadcast_shapes(y.shape, x.shape), -1.1 * half_z, dtype=np.float32)
    for sign, top in zip((1, -1), tops, strict=True):
        squared = ((x - sign * 0.5 * width) / np.float32(0.62 * width)) ** 2 + (
            (y + 0.15 * depth) / np.float32(1.15 * depth)
        ) ** 2
        surface = np.maximum(surface, np.float32(half_z) * (top - 0.75 * squared))
    return (surface - z) * np.float32(0.8)


def _tissue(chest: Chest, parts: tuple[Field, Field, Field], maps: tuple[Field, Field, Field]) -> Field:
    cavity, heart, diaphragm = parts
    x, grain, wobble = maps
    edge = np.float32(3 * chest.scale + 1)

    def inside(implicit: Field) -> Field:
        return np.clip(0.5 - implicit / edge, 0, 1)

    # muscle is marbled with fat, the mediastinum is fat between its vessels, the liver is under the right dome
    tissue = MUSCLE_HU + 6 * grain - 110 * np.clip(grain + 0.5 * wobble - 1.1, 0, 1)
    between = np.clip(0.3 + 0.5 * grain + 0.6 * wobble, 0, 1)
    tissue = tissue + inside(cavity) * (FAT_HU + between * 140 - tissue)
    liver = np.where(x < 0.1 * chest.cavity_yx_mm[1], 62.0, 42.0 - 30 * np.clip(grain - 0.8, 0, 1))
    tissue = tissue + inside(-diaphragm) * inside(cavity + 2) * (liver - tissue)
    fat_rim = inside(heart - 3 * chest.scale)
    tissue = tissue + fat_rim * (FAT_HU + 30 - tissue)
    return (tissue + inside(heart + 3 * chest.scale) * (chest.blood_hu - 8 - tissue)).astype(np.float32)


def _parenchyma(chest: Chest, y: Field, grain: Field, wobble: Field) -> Field:
    gravity = 32 * y / np.float32(chest.cavity_yx_mm[0])
    return (chest.lung_hu + gravity + 14 * grain + 14 * wobble).astype(np.float32)


def _hila(chest: Chest, lattice: Lattice, lungs_mm: Field) -> FloatArray:
    """Walk outward from the midline until the lung begins, on both sides."""
    z, y = 0.08 * chest.half_zyx_mm[0], 0.12 * chest.cavity_yx_mm[0]
    found = []
    for sign in (1, -1):
        steps = np.arange(0.0, chest.cavity_yx_mm[1], 0.5) * sign
        ray = np.stack([np.full_like(steps, z), np.full_like(steps, y), steps], axis=1)
        inside = lattice.sample(lungs_mm, ray) < -0.5
        found.append(ray[int(np.argmax(inside))])
    return np.array(found)
