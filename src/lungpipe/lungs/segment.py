"""Find the lungs: threshold, outside air, airways, left and right, closing.

Air is thresholded on a grid of about 1/160 of the field of view, where all decisions are made; only the border is
decided again on the full grid. All lengths are shares of the body's or the lungs' own size: an infant's or a miniature
chest is segmented as an adult's. The chain follows Hu, Hoffman and Reinhardt, "Automatic lung segmentation for accurate
quantitation of volumetric X-ray CT images", IEEE TMI 2001.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.lungs.airways import find_airways
from lungpipe.lungs.coarse import Coarse, coarsen, orient, refine, restore
from lungpipe.lungs.components import fill_planes, keep_in_planes, label_parts, largest_part, spread_planes
from lungpipe.lungs.midline import find_middle
from lungpipe.lungs.morphology import BoolArray, Spacing, bounding_box, close_mm, dilate_mm, erode_mm
from lungpipe.lungs.sides import split_sides

PADDING_HU = -1200
"""Darker voxels are padding outside the scanner's field of view."""
OUTSIDE_HU = -940.0
"""Air at the border of the field of view is outside air if its mean is darker than this, else a cut lung."""
SHORT_BORDER = 1 / 8
"""Air that touches less than this share of the border is outside air only if all of it is that dark, too."""
MIN_ENCLOSED = 0.05
"""Below this fraction of air enclosed by tissue, the field of view is assumed to cut the body."""
CLOSING_SHARE = 1 / 8
"""Radius of the closing, as a share of the cube root of the lungs' volume (20 mm for 4 litres): a ball of this size
does not enter the dent of a 30 mm nodule on the pleura."""

HOLE_SHARE = 0.2
"""Widest hole of a slice that is filled, as a share of the cube root of the lungs' volume (33 mm for 4 litres)."""


def segment_lungs(hu: NDArray[np.int16], grid: Grid, *, threshold_hu: int = -350) -> NDArray[np.uint8]:
    """Return the lungs' labels (uint8, zyx): 0 none, 1 left, 2 right; the left lung is at larger world x (LPS).

    Vessels, nodules and bridged concavities are inside; trachea, main bronchi, bowel gas and table are not.
    Works on any grid, cut fields of view, thick slices and single lungs; a scan without lungs gives zeros.
    """
    view = orient(hu, grid)
    coarse = coarsen(view, grid)
    labels, is_air = _segment_coarse(coarse, threshold_hu)
    return restore(refine(labels, is_air, view, factors=coarse.factors, limit_hu=threshold_hu), grid)


def _segment_coarse(coarse: Coarse, threshold_hu: int) -> tuple[NDArray[np.uint8], BoolArray]:
    air = coarse.hu < threshold_hu
    labels = np.zeros(air.shape, dtype=np.uint8)
    # the rim is mixed with the inside, and would be a ring of false air
    padding = spread_planes(_find_padding(coarse.hu))
    outside = _find_outside(coarse, air & ~padding, padding)
    body = _find_body(coarse, air)
    inside = _keep_enclosed(air & ~outside & ~padding, body)
    # from here on only the box of the air inside the body is used, with a margin for the closing
    box = bounding_box(inside, (1, 1, 1))
    if box is None or not body.any():
        return labels, air
    middle_x, width_vox = find_middle(coarse.hu, body, inside)
    middle_x -= box[2].start
    chest, hu = inside[box], coarse.hu[box]
    width_mm = width_vox * coarse.spacing_zyx_mm[2]
    airways = find_airways(hu, chest, coarse.spacing_zyx_mm, width_mm=width_mm, middle_x_vox=middle_x)
    sides = split_sides(hu, chest & ~airways, coarse.spacing_zyx_mm, middle_x)
    labels[box] = _fill(sides, airways, coarse.spacing_zyx_mm)
    return labels, air


def _find_padding(hu: NDArray[np.int16]) -> BoolArray:
    """Return the padding outside a round field of view: darker than air, or constant and connected to the corners.

    Air has noise, so a constant region is not air.
    """
    padding = hu < PADDING_HU
    darkest = hu.min()
    corners = ([0, 0, -1, -1], [0, -1, 0, -1])
    is_cornered = (hu[(slice(None), *corners)] == darkest).any(axis=1, keepdims=True)[:, :, None]
    if padding.any() or not is_cornered.any():
        return padding

    def choose(_: int, labels: NDArray[Any]) -> BoolArray:
        is_kept = np.zeros(int(labels.max()) + 1, dtype=bool)
        is_kept[labels[corners]] = True
        return is_kept

    return keep_in_planes((hu == darkest) & is_cornered, choose)


def _find_outside(coarse: Coarse, air: BoolArray, padding: BoolArray) -> BoolArray:
    """Return the air that touches the border of the field of view, slice by slice, and is as dark as room air.

    Narrow connections are ignored, so that a thin chest wall does not connect a lung with the outside.
    """
    border = np.zeros_like(air)
    border[:, [0, -1]] = border[:, :, [0, -1]] = True
    if padding.any():
        border |= dilate_mm(padding, coarse.spacing_zyx_mm, 2.01 * max(coarse.spacing_zyx_mm[1:]))

    def choose(index: int, labels: NDArray[Any]) -> BoolArray:
        at_border = labels[border[index]]
        num = np.bincount(at_border, minlength=int(labels.max()) + 1)
        total = np.bincount(at_border, weights=coarse.hu[index][border[index]], minlength=len(num))
        is_outside: BoolArray = (num > 0) & (total < OUTSIDE_HU * num)
        is_outside[0] = False
        for part in np.flatnonzero(is_outside & (num < SHORT_BORDER * len(at_border))):
            # a trachea at the border is as dark as room air, and may be connected to a lung
            is_outside[part] = coarse.hu[index][labels == part].mean() < OUTSIDE_HU
        return is_outside

    outside = keep_in_planes(~spread_planes(~air), choose)
    return spread_planes(spread_planes(outside) & air) & air


def _find_body(coarse: Coarse, air: BoolArray) -> BoolArray:
    """Return the tissue of the largest solid: no table, leads or blankets, unless they touch the skin."""
    thin = 1.01 * max(coarse.spacing_zyx_mm[1:])
    core = largest_part(erode_mm(~air, coarse.spacing_zyx_mm, thin))
    return dilate_mm(core, coarse.spacing_zyx_mm, 3 * thin) & ~air


def _keep_enclosed(inside: BoolArray, body: BoolArray) -> BoolArray:
    """Keep the components of air that are mostly between tissue: before and behind, or on the left and the right.

    This is true for a lung cut by the field of view, and false for air in mattress, blankets and table. If almost no
    air is between tissue, the field of view is assumed to be inside the lungs, and all air is kept.
    """
    kept = np.zeros_like(inside)
    box = bounding_box(inside, (0, 0, 0))
    if box is None:
        return kept
    is_between = _lies_between(body, box, 1) | _lies_between(body, box, 2)
    air = inside[box]
    labels, count = label_parts(air)
    # computed for the air voxels alone, which are few
    part = labels[air]
    sizes = np.bincount(part, minlength=count + 1)
    is_kept = 2 * np.bincount(part[is_between[air]], minlength=count + 1) >= sizes
    if sizes[is_kept].sum() < MIN_ENCLOSED * len(part):
        return inside
    kept[box][air] = is_kept[part]
    return kept


def _lies_between(body: BoolArray, box: tuple[slice, ...], axis: int) -> BoolArray:
    """Return the voxels of a box that have tissue before and behind them along an axis, in the box or outside."""
    lines = body[tuple(slice(None) if other == axis else part for other, part in enumerate(box))]
    size = lines.shape[axis]
    first = np.expand_dims(np.argmax(lines, axis=axis), axis).astype(np.int16)
    last = np.expand_dims(size - 1 - np.argmax(np.flip(lines, axis), axis=axis), axis).astype(np.int16)
    place = np.arange(size, dtype=np.int16)[box[axis]]
    place = np.expand_dims(place, tuple(other for other in range(3) if other != axis))
    # in a line without tissue every voxel would be between the first and the last
    is_between: BoolArray = (place >= first) & (place <= last) & lines.any(axis=axis, keepdims=True)
    return is_between


def _fill(labels: NDArray[np.uint8], airways: BoolArray, spacing_zyx_mm: Spacing) -> NDArray[np.uint8]:
    """Fill vessels and nodules of each lung: closing by a ball, then the small holes of each slice."""
    volume_mm3 = np.count_nonzero(labels) * float(np.prod(spacing_zyx_mm))
    length_mm = float(volume_mm3 ** (1 / 3))
    # a larger hole in a slice is the dome of the diaphragm
    largest = np.pi * (HOLE_SHARE * length_mm / 2) ** 2 / (spacing_zyx_mm[1] * spacing_zyx_mm[2])
    filled = labels.copy()
    for side in (1, 2):
        closed = close_mm(labels == side, spacing_zyx_mm, CLOSING_SHARE * length_mm)
        filled[fill_planes(closed, largest) & (filled == 0) & ~airways] = side
    return filled
