"""Bones, great vessels and central airways as tubes in the body frame."""

from dataclasses import dataclass

import numpy as np

from lungpipe.phantom.anatomy import Chest
from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.paint import Tubes

RIB_SPACING_MM = 26.0


@dataclass(frozen=True, slots=True)
class Bones:
    """Tubes of compact bone and the thickness (mm) of their shell; marrow fills the rest."""

    tubes: Tubes
    shell_mm: float
    cortex_hu: float
    marrow_hu: float


def build_bones(chest: Chest, rng: np.random.Generator) -> list[Bones]:
    """Return ribs, vertebrae and sternum of a chest."""
    shell = max(0.9, 2.0 * chest.scale)
    cortex, marrow = rng.uniform(550, 850), rng.uniform(120, 230)
    ribs = Tubes.joined(_ribs(chest, rng))
    spine = Tubes.joined(_vertebrae(chest))
    arches = Tubes.joined(_arches(chest))
    sternum = _sternum(chest)
    return [
        Bones(ribs, shell, cortex, marrow),
        Bones(arches, shell, 0.8 * cortex, marrow + 60),
        Bones(spine, shell, 0.75 * cortex, marrow),
        Bones(sternum, shell, 0.6 * cortex, marrow),
    ]


def _ribs(chest: Chest, rng: np.random.Generator) -> list[Tubes]:
    """Pairs of hoops around the cavity, from the spine outward and down to the front."""
    half_z, (depth, width) = chest.half_zyx_mm[0], chest.cavity_yx_mm
    spacing = max(15.0, RIB_SPACING_MM * chest.scale)
    radius = max(2.2, 4.6 * chest.scale)
    drop = 0.75 * depth
    angles = np.radians(np.linspace(14, 158, 30))
    parts = []
    for top in np.arange(0.86 * half_z, -half_z - drop, -spacing):
        for sign in (1, -1):
            fall = (1 - np.cos(angles)) / 2
            z = top - drop * fall + rng.normal(0, 0.6)
            profile = chest.width_profile(z.astype(np.float32)).astype(np.float64)
            out = profile + (radius + 1.3) / (0.5 * (depth + width))
            path = np.stack([z, depth * out * np.cos(angles), sign * width * out * np.sin(angles)], axis=1)
            # two hoops on top of each other: a rib is a flat band, higher than thick
            for lift in (-0.5 * radius, 0.5 * radius):
                parts.append(Tubes.along(path + np.array([lift, 0, 0]), radius * np.linspace(0.95, 0.75, len(angles))))
    return parts


def _spine_center(chest: Chest) -> tuple[float, float]:
    """Return the y position and the radius of the vertebral bodies, mm."""
    depth = chest.cavity_yx_mm[0]
    return 0.84 * depth, 0.23 * depth


def _vertebrae(chest: Chest) -> list[Tubes]:
    half_z = chest.half_zyx_mm[0]
    y, radius = _spine_center(chest)
    height = max(11.0, 24 * chest.scale)
    parts = []
    for middle in np.arange(-half_z - height, half_z + height, height):
        # two overlapping short columns make the kidney shape of a vertebral body
        for x in (-0.35 * radius, 0.35 * radius):
            ends = np.array([[middle - 0.22 * height, y, x], [middle + 0.22 * height, y, x]])
            parts.append(Tubes.along(ends, 0.82 * radius))
    return parts


def _arches(chest: Chest) -> list[Tubes]:
    """The ring behind each vertebral body and its spinous process."""
    half_z = chest.half_zyx_mm[0]
    y, radius = _spine_center(chest)
    height = max(11.0, 24 * chest.scale)
    thick = max(1.6, 3.4 * chest.scale)
    parts = []
    for middle in np.arange(-half_z - height, half_z + height, height):
        back = y + 1.75 * radius
        ring = [(y + 0.8 * radius, 0.75), (y + 1.3 * radius, 0.8), (back, 0.0)]
        for sign in (1, -1):
            path = np.array([[middle, yy, sign * xx * radius] for yy, xx in ring])
            parts.append(Tubes.along(path, thick))
        process = np.array([[middle, back, 0.0], [middle - 0.4 * height, back + 0.7 * radius, 0.0]])
        parts.append(Tubes.along(process, thick))
    return parts


def _sternum(chest: Chest) -> Tubes:
    half_z, (depth, _) = chest.half_zyx_mm[0], chest.cavity_yx_mm
    radius = max(2.4, 5.5 * chest.scale)
    z = np.linspace(-0.55 * half_z, 0.75 * half_z, 6)
    y = -(depth * chest.width_profile(z.astype(np.float32)).astype(np.float64) + radius + 1)
    columns = [np.stack([z, y, np.full_like(z, x)], axis=1) for x in (-radius, 0.0, radius)]
    return Tubes.joined([Tubes.along(path, radius) for path in columns])


def great_vessels(chest: Chest, hila_zyx_mm: FloatArray) -> Tubes:
    """Return aorta, pulmonary trunk with its two arteries, and vena cava."""
    half_z, (depth, width) = chest.half_zyx_mm[0], chest.cavity_yx_mm
    size = chest.scale
    arch = [
        (-0.05 * half_z, -0.3 * depth, -0.02 * width),
        (0.28 * half_z, -0.28 * depth, -0.04 * width),
        (0.42 * half_z, -0.05 * depth, 0.04 * width),
        (0.42 * half_z, 0.25 * depth, 0.12 * width),
        (0.26 * half_z, 0.45 * depth, 0.17 * width),
        (-1.1 * half_z, 0.5 * depth, 0.15 * width),
    ]
    trunk = [(-0.1 * half_z, -0.35 * depth, 0.1 * width), (0.1 * half_z, -0.1 * depth, 0.08 * width)]
    cava = [(-0.1 * half_z, -0.15 * depth, -0.12 * width), (0.6 * half_z, -0.2 * depth, -0.1 * width)]
    parts = [Tubes.along(arch, 12.5 * size), Tubes.along(trunk, 13 * size), Tubes.along(cava, 9 * size)]
    for hilum in hila_zyx_mm:
        parts.append(Tubes.along([trunk[1], tuple(hilum)], [11 * size, 7 * size]))
    return Tubes.joined(parts)


def central_airways(chest: Chest, hila_zyx_mm: FloatArray) -> Tubes:
    """Return the lumen of trachea and main bronchi."""
    half_z, (depth, _) = chest.half_zyx_mm[0], chest.cavity_yx_mm
    radius = max(3.2, 9 * chest.scale)
    carina = np.array([0.24 * half_z, 0.2 * depth, 0.0])
    top = np.array([1.2 * half_z, 0.0, 0.0])
    parts = [Tubes.along([top, carina], radius)]
    parts += [
        Tubes.along([carina, hilum + np.array([2.0, 4 * chest.scale, 0.0])], [0.75 * radius, 0.6 * radius])
        for hilum in hila_zyx_mm
    ]
    return Tubes.joined(parts)
