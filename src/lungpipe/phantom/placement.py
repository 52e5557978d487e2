"""Put nodules and decoys into a patient's lungs, apart from each other."""

from dataclasses import dataclass

import numpy as np

from lungpipe.phantom.anatomy import Anatomy
from lungpipe.phantom.decoys import Decoy, draw_decoy
from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.nodules import Nodule
from lungpipe.phantom.paint import Tubes
from lungpipe.phantom.ratings import Appearance, draw_appearance, draw_ratings
from lungpipe.phantom.vessels import LungVessels

NUM_TRIES = 60
NUM_CHOICES = 60
GAP_MM = 4.0
MAX_DIAMETER_MM = 30.0
FIELD_SHARE = 0.92
"""findings stay within this share of the field of view, which every scan of the patient shows"""


@dataclass(slots=True)
class Occupied:
    """Spheres (centre, radius) that later findings keep away from."""

    centers_zyx_mm: list[FloatArray]
    radii_mm: list[float]

    def is_free(self, center_zyx_mm: FloatArray, radius_mm: float) -> bool:
        """Return whether a sphere keeps the gap to all others."""
        return all(
            float(np.linalg.norm(center_zyx_mm - other)) > radius_mm + other_radius + GAP_MM
            for other, other_radius in zip(self.centers_zyx_mm, self.radii_mm, strict=True)
        )

    def add(self, center_zyx_mm: FloatArray, radius_mm: float) -> None:
        """Add a sphere."""
        self.centers_zyx_mm.append(center_zyx_mm)
        self.radii_mm.append(radius_mm)


def place_nodules(
    anatomy: Anatomy, vessels: list[LungVessels], mean_count: float, rng: np.random.Generator
) -> list[Nodule]:
    """Draw and place at least one nodule; `mean_count` is the mean number before crowding drops some."""
    count = 1 + int(rng.poisson(max(mean_count - 1, 0)))
    largest = min(MAX_DIAMETER_MM, 0.5 * anatomy.chest.cavity_yx_mm[1])
    taken = Occupied([], [])
    placed: list[Nodule] = []
    for _ in range(NUM_TRIES):
        if len(placed) == count:
            break
        look = draw_appearance(largest, rng)
        spot = _find_spot(anatomy, vessels, look, rng)
        if spot is not None and taken.is_free(spot, look.diameter_mm / 2):
            taken.add(spot, look.diameter_mm / 2)
            z, y, x = (float(v) for v in spot)
            placed.append(Nodule((z, y, x), look, draw_ratings(look, rng), int(rng.integers(2**31))))
    if not placed:
        raise ValueError(f"phantom: expected room for a nodule in a chest of half {anatomy.chest.half_zyx_mm} mm")
    return placed


def place_decoys(anatomy: Anatomy, nodules: list[Nodule], rng: np.random.Generator) -> list[Decoy]:
    """Draw and place one to four decoys away from the nodules."""
    taken = Occupied(
        [np.asarray(n.center_zyx_mm) for n in nodules], [n.appearance.diameter_mm / 2 + 3 for n in nodules]
    )
    decoys: list[Decoy] = []
    kinds = ["scar", "plaque", "micronodule", "micronodule"]
    for kind in rng.permutation(kinds)[: int(rng.integers(2, 5))]:
        depth = {"scar": 3.0, "plaque": 0.6, "micronodule": 4.0}[str(kind)]
        for _ in range(NUM_TRIES):
            spot = _at_depth(anatomy, depth, rng)
            if _in_field(anatomy, spot, 6.0) and taken.is_free(spot, 6.0):
                decoys.append(draw_decoy(spot, _outward(anatomy, spot), str(kind), rng))
                taken.add(spot, 6.0)
                break
    return decoys


def _find_spot(
    anatomy: Anatomy, vessels: list[LungVessels], look: Appearance, rng: np.random.Generator
) -> FloatArray | None:
    radius = look.diameter_mm / 2
    side = int(rng.integers(2))
    if look.setting == "juxta_pleural":
        spot = _at_depth(anatomy, float(rng.uniform(0.25, 0.75)) * radius, rng)
        return spot if _in_field(anatomy, spot, radius) else None
    tubes = Tubes.joined([vessels[side].artery.tubes(), vessels[side].vein.tubes()])
    if look.setting == "juxta_vascular":
        points = _beside_vessels(tubes, radius, rng)
    else:
        points = anatomy.lung_points(side, NUM_CHOICES, rng)
        thick = tubes.end_radii_mm > 0.8
        near = Tubes(
            tubes.starts_zyx_mm[thick], tubes.ends_zyx_mm[thick], tubes.start_radii_mm[thick], tubes.end_radii_mm[thick]
        )
        points = points[near.distance(points) > 0.8 * radius + 1]
    room = min(radius + 1.0, 5.5 * anatomy.lattice.step_mm)
    for point in points:
        if anatomy.depth_in_lung(point)[0] > room and _in_field(anatomy, point, radius):
            return np.asarray(point)
    return None


def _beside_vessels(tubes: Tubes, radius_mm: float, rng: np.random.Generator) -> FloatArray:
    fitting = np.flatnonzero((tubes.end_radii_mm > 0.6) & (tubes.end_radii_mm < 2.5))
    chosen = rng.choice(fitting, NUM_CHOICES)
    directions = rng.normal(size=(NUM_CHOICES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    away = 0.8 * radius_mm + tubes.end_radii_mm[chosen]
    return np.asarray(tubes.ends_zyx_mm[chosen] + away[:, None] * directions)


def _at_depth(anatomy: Anatomy, depth_mm: float, rng: np.random.Generator) -> FloatArray:
    """Draw a lung point, then move it along the lung's slope to the wanted depth below the pleura."""
    points = anatomy.lung_points(int(rng.integers(2)), 8 * NUM_CHOICES, rng)
    depths = anatomy.depth_in_lung(points)
    spot = points[int(np.argmin(np.abs(depths - max(depth_mm, anatomy.lattice.step_mm))))]
    for _ in range(4):
        missing = depth_mm - float(anatomy.depth_in_lung(spot)[0])
        spot = spot - missing * _outward(anatomy, spot)
    return np.asarray(spot)


def _outward(anatomy: Anatomy, point_zyx_mm: FloatArray) -> FloatArray:
    """Return the unit direction in which the pleura is nearest."""
    steps = np.eye(3) * anatomy.lattice.step_mm
    slope = anatomy.depth_in_lung(point_zyx_mm - steps) - anatomy.depth_in_lung(point_zyx_mm + steps)
    return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-6))


def _in_field(anatomy: Anatomy, point_zyx_mm: FloatArray, radius_mm: float) -> bool:
    return bool(np.all(np.abs(point_zyx_mm) + radius_mm < FIELD_SHARE * anatomy.chest.half_zyx_mm))
