"""Padding: the voxels outside the field of view, which are not measured. Every reader turns them into air.

A reader of a format with a padding value sets padding voxels to PADDING_HU. All other padding is found by its values.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.scan import AIR_RANGE_HU, Scan, ScanError, check_hu
from lungpipe.terms import AIR_HU

PADDING_HU = int(np.iinfo(np.int16).min)
"""Value of padding voxels from the reader to `accept_scan`; no CT measures this value."""
_INT16 = np.iinfo(np.int16)


def accept_scan(scan: Scan, path: Path) -> Scan:
    """Return `scan` with air (-1024 HU) for its padding, if its other voxels can be HU of a chest.

    Padding is the one darkest value below -1500 HU, wherever it lies, and every voxel below -1500 HU that is connected
    to the border of its slice (through sides of voxels below -1500 HU). The voxels change in place.

    Raises:
        ScanError: voxels that cannot be HU (see `check_hu`).
    """
    hu = scan.hu
    darkest = hu.min()
    if darkest >= AIR_RANGE_HU[0]:
        return check_hu(scan, path)
    # one value for all padding, by which `check_hu` recognises padding
    for plane in hu:
        is_dark = plane < AIR_RANGE_HU[0]
        if np.count_nonzero(is_dark) > np.count_nonzero(plane == darkest):
            plane[touching_border(is_dark)] = darkest
    check_hu(scan, path)
    for plane in hu:
        plane[plane == darkest] = AIR_HU
    return scan


def whole_hu(values: NDArray[Any], path: Path) -> NDArray[np.int16]:
    """Return HU of any number type (zyx) as int16: rounded, and PADDING_HU where NaN or -inf lies outside the body.

    NaN and -inf lie outside the body where they are connected to a corner of their slice, as all that is outside a
    round field of view; a hole within the body is not.

    Raises:
        ScanError: NaN or infinity within the body, or values beyond int16.
    """
    hu = np.empty(values.shape, np.int16)
    num_known = 0
    for index, plane in enumerate(values):  # slice by slice: no copy of the whole volume
        is_missing = np.isnan(plane) | np.isneginf(plane) if plane.dtype.kind == "f" else np.zeros(plane.shape, bool)
        known = np.where(is_missing, 0, plane) if is_missing.any() else plane
        if known.min() < _INT16.min or known.max() > _INT16.max:
            raise ScanError(f"{path}: expected finite HU within int16, found values outside")
        if known is not plane and not _reaches_corners(is_missing):
            found = f"values outside: NaN or -inf within the body in slice {index + 1} of {len(values)}"
            raise ScanError(f"{path}: expected finite HU within int16, found {found}")
        hu[index] = np.rint(known) if known.dtype.kind == "f" else known
        hu[index][is_missing] = PADDING_HU
        num_known += int(np.count_nonzero(~is_missing))
    if not num_known:
        raise ScanError(f"{path}: expected finite HU within int16, found values outside: nothing but NaN or -inf")
    return hu


def touching_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of a slice's mask (yx) that is connected to the slice's border, through sides of pixels."""
    labels = _label(mask)
    kept = np.zeros(int(labels.max()) + 1, dtype=bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[line] = True
    kept[0] = False
    touching: NDArray[np.bool_] = kept[labels]
    return touching


def _reaches_corners(mask: NDArray[np.bool_]) -> bool:
    """Return whether every connected part of a slice's mask (yx) holds a corner of the slice."""
    labels = _label(mask)
    return len({0, *labels[:: len(labels) - 1, :: labels.shape[1] - 1].ravel().tolist()}) == int(labels.max()) + 1


def _label(mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the labels 1, 2, ... of a slice's connected parts; 0 elsewhere."""
    import cc3d

    return cc3d.connected_components(mask, connectivity=4)
