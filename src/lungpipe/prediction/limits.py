"""What lungpipe does not judge: scans that are no whole chest, or too coarse for the model."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.settings.scan_limits import ScanLimits

Reason = Literal["unusable", "too_few_slices", "slices_too_thick", "no_lungs"]
"""Why a scan was refused; `unusable`: its reader refused the scan (no CT, no HU, missing slices, damaged files)."""


class RefusedScanError(ValueError):
    """A scan that is not judged; `reason` is a fixed name, the message has the scan, what was expected and found."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Store reason and message."""
        super().__init__(message)
        self.reason = reason


def check_slices(grid: Grid, limits: ScanLimits, name: str) -> tuple[str, ...]:
    """Return remarks on the slices of a scan's grid; `name` stands for the scan in messages.

    Slices are counted along the axis of the largest spacing: files of some formats do not say which axis was scanned.

    Raises:
        RefusedScanError: slices that are too far apart, or too few of them.
    """
    axis = int(np.argmax(grid.spacing_zyx_mm))
    distance, count = grid.spacing_zyx_mm[axis], grid.shape_zyx[axis]
    if distance > limits.thickest_mm + 1e-3:
        message = f"{name}: expected slices at most {limits.thickest_mm:g} mm apart, found {distance:g} mm"
        raise RefusedScanError("slices_too_thick", message)
    if count < limits.min_slices:
        raise RefusedScanError("too_few_slices", f"{name}: expected at least {limits.min_slices} slices, found {count}")
    if distance > limits.remarked_mm + 1e-3:
        return (f"slices are {distance:g} mm apart: small nodules may be missed between them",)
    return ()


def check_lungs(lungs: NDArray[np.uint8], grid: Grid, limits: ScanLimits, name: str) -> None:
    """Refuse lung labels (zyx) of a smaller volume than `limits.min_lungs_ml`; `name` stands for the scan in messages.

    Raises:
        RefusedScanError: no lungs, or lungs too small for a chest.
    """
    found_ml = np.count_nonzero(lungs) * grid.voxel_volume_mm3 / 1000.0
    if found_ml < limits.min_lungs_ml:
        expected = f"expected a chest CT with at least {limits.min_lungs_ml:g} ml of lung"
        raise RefusedScanError("no_lungs", f"{name}: {expected}, found {found_ml:.0f} ml")
