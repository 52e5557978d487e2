"""Points of candidates_V2.csv: near nodules (class 1), and vessels, forks and lung elsewhere (class 0)."""

import numpy as np

from lungpipe.geometry import hits
from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.nodules import Nodule
from lungpipe.phantom.patient import Patient
from lungpipe.phantom.placement import FIELD_SHARE

CLEARANCE_MM = 4.0


def draw_candidates(patient: Patient, rng: np.random.Generator) -> tuple[FloatArray, list[int]]:
    """Return candidate points (N, 3) of the body frame, zyx mm, and the class of each."""
    near = [_near(nodule, rng) for nodule in patient.nodules]
    trees = [tree for lung in patient.vessels for tree in (lung.artery, lung.vein)]
    forks = np.concatenate([tree.forks() for tree in trees])
    vessels = np.concatenate([tree.nodes_zyx_mm[tree.radii_mm > 0.7] for tree in trees])
    lung = np.concatenate([patient.anatomy.lung_points(side, 5, rng) for side in (0, 1)])
    away = np.concatenate([_some(forks, 14, rng), _some(vessels, 14, rng), lung])
    away = away[_is_clear(away, patient)]
    points = np.concatenate([*near, away]) if near else away
    num_near = len(points) - len(away)
    return points, [1] * num_near + [0] * len(away)


def _near(nodule: Nodule, rng: np.random.Generator) -> FloatArray:
    count = int(rng.integers(1, 4))
    spread = rng.normal(size=(count, 3))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    reach = 0.3 * nodule.appearance.diameter_mm * rng.random((count, 1))
    return np.asarray(nodule.center_zyx_mm + reach * spread)


def _some(points: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(points[rng.choice(len(points), min(count, len(points)), replace=False)])


def _is_clear(points: FloatArray, patient: Patient) -> FloatArray:
    """Return which points are in the lungs and the field of view, and away from every nodule."""
    clear = (patient.anatomy.depth_in_lung(points) > 0) & np.all(
        np.abs(points) < FIELD_SHARE * patient.anatomy.chest.half_zyx_mm, axis=1
    )
    if patient.nodules:
        centers = [n.center_zyx_mm for n in patient.nodules]
        wide = [n.appearance.diameter_mm + 2 * CLEARANCE_MM for n in patient.nodules]
        clear &= ~hits(points, centers, wide).any(axis=1)
    return clear
