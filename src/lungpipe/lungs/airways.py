"""Find trachea and main bronchi: a chain of round dark holes from the top, grown through its lumen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.lungs.components import Components, find_boxes, label_parts, label_planes, select
from lungpipe.lungs.morphology import BoolArray, Spacing, dilate_mm

MIN_DIAMETER, MAX_DIAMETER = 0.015, 0.10
"""Diameter of a trachea, as shares of the body's width (5 to 35 mm in an adult)."""
MAX_OFFSET = 0.2
"""Largest distance of a trachea from the body's middle, as a share of the body's width."""
MIN_LENGTH = 0.05
"""Shortest chain, as a share of the body's width."""
MIN_CONTRAST_HU = 50.0
"""Lumen and lung must differ by this many HU, so that the lumen can be followed into the bronchi."""
MAX_GROWTH = 2.5
"""Above this multiple of the trachea's volume, the grown airway has leaked into the lungs."""
_SHAPE_LIMIT = 3.0
_DARK = 25
"""Percentile of a hole's HU used as the HU of its lumen, since voxels along the wall are brighter."""


@dataclass(frozen=True, slots=True)
class _Hole:
    label: int
    z: int
    area_vox: float
    hu: float
    box: tuple[slice, slice, slice]


def find_airways(
    hu: NDArray[np.int16], air: BoolArray, spacing_zyx_mm: Spacing, *, width_mm: float, middle_x_vox: float
) -> BoolArray:
    """Return the mask (zyx) of trachea and main bronchi within `air`; empty if no trachea is found.

    `hu` and `air` run along +z, +y, +x; `width_mm` is the body's width, `middle_x_vox` its middle.
    """
    labels, _ = label_planes(air)
    holes = _round_holes(hu, labels, spacing_zyx_mm, width_mm=width_mm, middle_x_vox=middle_x_vox)
    if not holes:
        return np.zeros_like(air)
    lung = float(np.median(hu[air]))
    trachea = _find_trachea(labels, holes, lung, MIN_LENGTH * width_mm / spacing_zyx_mm[0])
    if not trachea.any():
        return trachea
    lumen = float(np.percentile(hu[trachea], _DARK))
    limit = MAX_GROWTH * np.count_nonzero(trachea)
    grown = trachea
    for share in (0.5, 0.35, 0.2):
        if lung - lumen < MIN_CONTRAST_HU:
            break
        labels, _ = label_parts((air & (hu < lumen + share * (lung - lumen))) | trachea)
        candidate = select(labels, np.unique(labels[trachea]))
        if np.count_nonzero(candidate) <= limit:
            grown = candidate
            break
    # the partly filled voxels along the wall belong to the airway
    return dilate_mm(grown, spacing_zyx_mm, 1.01 * max(spacing_zyx_mm[1:])) & air


def _find_trachea(labels: Components, holes: dict[int, _Hole], lung_hu: float, least_planes: float) -> BoolArray:
    """Return the chain of holes with the most lumen: darker than lung, and wide.

    The longest chain may be a gap between back and table, the largest a part of a lung cut by the field of view.
    """
    best: list[_Hole] = []
    most = 0.0
    used: set[int] = set()
    for top in sorted(holes.values(), key=lambda hole: -hole.z):
        if top.label in used:
            continue
        chain = _follow_down(labels, holes, top)
        used.update(hole.label for hole in chain)
        # in dark lungs no lumen is darker: then the largest chain
        lumen = sum(hole.area_vox * max(lung_hu - hole.hu, 1.0) for hole in chain)
        if len(chain) >= least_planes and lumen > most:
            best, most = chain, lumen
    return select(labels, [hole.label for hole in best])


def _round_holes(
    hu: NDArray[np.int16], labels: Components, spacing: Spacing, *, width_mm: float, middle_x_vox: float
) -> dict[int, _Hole]:
    areas = np.bincount(labels.ravel())
    diameters = np.sqrt(areas * spacing[1] * spacing[2] * 4.0 / np.pi)
    occupied = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    lowest = (occupied[0] + occupied[-1]) / 2 if occupied.size else 0
    holes = {}
    for index, box in enumerate(find_boxes(labels), start=1):
        sides = [(s.stop - s.start) * step for s, step in zip(box[1:], spacing[1:], strict=True)]
        center_x = (box[2].start + box[2].stop - 1) / 2
        is_central = abs(center_x - middle_x_vox) * spacing[2] <= MAX_OFFSET * width_mm
        is_sized = MIN_DIAMETER * width_mm <= diameters[index] <= MAX_DIAMETER * width_mm
        is_round = max(sides) <= _SHAPE_LIMIT * diameters[index]
        if is_central and is_sized and is_round and box[0].start >= lowest:
            dark = float(np.percentile(hu[box][labels[box] == index], _DARK))
            holes[index] = _Hole(index, box[0].start, float(areas[index]), dark, box)
    return holes


def _follow_down(labels: Components, holes: dict[int, _Hole], top: _Hole) -> list[_Hole]:
    chain = [top]
    while chain[-1].z > 0:
        last = chain[-1]
        plane = (slice(last.z, last.z + 1), *last.box[1:])
        below = labels[last.z - 1][last.box[1:]][labels[plane][0] == last.label]
        values, counts = np.unique(below[below > 0], return_counts=True)
        if not values.size:
            break
        under = holes.get(int(values[np.argmax(counts)]))
        if under is None or not 0.4 <= under.area_vox / last.area_vox <= 2.5:
            break
        chain.append(under)
    return chain
