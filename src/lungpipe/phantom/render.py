"""Render a patient and an acquisition as HU and lung labels."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.phantom.acquisition import (
    MAX_HU,
    MIN_HU,
    Acquisition,
    outside_field,
    reconstruct,
    table_coverage,
)
from lungpipe.phantom.anatomy import AIR_HU, FAT_HU, Anatomy
from lungpipe.phantom.decoys import paint_decoy
from lungpipe.phantom.fields import on_voxels
from lungpipe.phantom.nodules import LUNG_BASE_HU, paint_nodule
from lungpipe.phantom.paint import Canvas, Tubes
from lungpipe.phantom.patient import Patient
from lungpipe.phantom.skeleton import central_airways, great_vessels

LEFT_LUNG, RIGHT_LUNG, TRACHEA = 3, 4, 5
"""LUNA16's labels in seg-lungs-LUNA16."""
SLAB = 24
AIRWAY_WALL_MM = 1.3


def render(
    patient: Patient, scan: Acquisition, rng: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Return HU and lung labels, both zyx on the body frame's ascending axes (not yet flipped)."""
    z, y, x = scan.axes_mm
    hu = np.full(scan.grid.shape_zyx, AIR_HU, dtype=np.float32)
    canvas = Canvas(hu, z, y, x, edge_mm=1.15 * scan.grid.spacing_zyx_mm[1])
    _paint_body(canvas, patient.anatomy)
    _paint_vessels_and_bones(canvas, patient)
    labels = _paint_lungs(canvas, patient.anatomy)
    _paint_lung_vessels(canvas, patient)
    _paint_airways(canvas, patient, labels)
    _paint_findings(canvas, patient)
    return _acquire(canvas, patient, scan, rng), labels


def _slabs(num_slices: int) -> list[tuple[int, int]]:
    return [(start, min(start + SLAB, num_slices)) for start in range(0, num_slices, SLAB)]


def _paint_body(canvas: Canvas, anatomy: Anatomy) -> None:
    fields = (anatomy.body_mm, anatomy.muscle_mm, anatomy.tissue_hu)
    body, muscle, tissue = (on_voxels(anatomy.lattice, field, canvas.axes_mm) for field in fields)
    for start, stop in _slabs(canvas.z_mm.size):
        view = canvas.hu[start:stop]
        view += canvas.coverage(-body.slab(start, stop)) * np.float32(FAT_HU - AIR_HU)
        view += canvas.coverage(-muscle.slab(start, stop)) * (tissue.slab(start, stop) - view)


def _paint_vessels_and_bones(canvas: Canvas, patient: Patient) -> None:
    anatomy = patient.anatomy
    for box, coverage in canvas.tube_coverages(great_vessels(anatomy.chest, anatomy.hila_zyx_mm)):
        canvas.replace(box, coverage, anatomy.chest.blood_hu)
    for bones in patient.bones:
        for box, coverage in canvas.tube_coverages(bones.tubes):
            canvas.lighten(box, coverage, bones.cortex_hu)
        # all shells before all marrow, or shells of one piece would cut the marrow of the next
        for box, coverage in canvas.tube_coverages(bones.tubes.grown(-bones.shell_mm)):
            canvas.replace(box, coverage, bones.marrow_hu)


def _paint_lungs(canvas: Canvas, anatomy: Anatomy) -> NDArray[np.uint8]:
    labels = np.zeros(canvas.hu.shape, dtype=np.uint8)
    sides = np.where(canvas.x_mm > 0, LEFT_LUNG, RIGHT_LUNG).astype(np.uint8)
    fields = (anatomy.lungs_mm, anatomy.parenchyma_hu)
    lungs, parenchyma = (on_voxels(anatomy.lattice, field, canvas.axes_mm) for field in fields)
    for start, stop in _slabs(canvas.z_mm.size):
        view = canvas.hu[start:stop]
        distance = lungs.slab(start, stop)
        view += canvas.coverage(-distance) * (parenchyma.slab(start, stop) - view)
        labels[start:stop] = np.where(distance < 0, sides, 0)
    return labels


def _paint_lung_vessels(canvas: Canvas, patient: Patient) -> None:
    trees = [tree for lung in patient.vessels for tree in (lung.artery, lung.vein)]
    for box, coverage in canvas.tube_coverages(Tubes.joined([tree.tubes() for tree in trees])):
        canvas.brighten(box, coverage, patient.anatomy.chest.blood_hu, LUNG_BASE_HU)


def _paint_airways(canvas: Canvas, patient: Patient, labels: NDArray[np.uint8]) -> None:
    anatomy = patient.anatomy
    central = central_airways(anatomy.chest, anatomy.hila_zyx_mm)
    bronchi = [lung.bronchi for lung in patient.vessels if len(lung.bronchi.end_radii_mm)]
    for box, coverage in canvas.tube_coverages(central.grown(AIRWAY_WALL_MM)):
        canvas.replace(box, coverage, 20.0)
    for lumen in bronchi:
        for box, coverage in canvas.tube_coverages(lumen.grown(0.7)):
            canvas.brighten(box, coverage, -150.0, LUNG_BASE_HU)
    for lumen in [central, *bronchi]:
        for box, coverage in canvas.tube_coverages(lumen):
            canvas.replace(box, coverage, -970.0)
    for box, coverage in canvas.tube_coverages(central):
        labels[box][coverage > 0.5] = TRACHEA


def _paint_findings(canvas: Canvas, patient: Patient) -> None:
    for decoy in patient.decoys:
        paint_decoy(canvas, decoy, LUNG_BASE_HU)
    for nodule in patient.nodules:
        paint_nodule(canvas, nodule)


def _acquire(canvas: Canvas, patient: Patient, scan: Acquisition, rng: np.random.Generator) -> NDArray[np.int16]:
    anatomy = patient.anatomy
    body = on_voxels(anatomy.lattice, anatomy.body_mm, scan.axes_mm)
    table = table_coverage(scan, anatomy.chest.body_yx_mm[0]) if scan.has_table else None
    outside = outside_field(scan) if scan.has_circular_field else None
    reach = float(-anatomy.body_mm.min())
    stored = np.empty(scan.grid.shape_zyx, dtype=np.int16)
    for start, stop in _slabs(canvas.z_mm.size):
        view = canvas.hu[start:stop]
        if table is not None:
            np.maximum(view, AIR_HU + table * np.float32(800), out=view)
        inside = np.clip(-body.slab(start, stop) / np.float32(reach), 0, 1)
        shown = np.clip(np.round(reconstruct(view, 0.6 + 0.5 * inside, scan, rng)), MIN_HU, MAX_HU)
        if outside is not None:
            shown[:, outside] = MIN_HU
        stored[start:stop] = shown.astype(np.int16)
    return stored
