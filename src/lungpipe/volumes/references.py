"""What the QC row tells of a scan's lungs: their volumes, and how far they agree with a reference mask."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.metaimage_header import read_header
from lungpipe.datasets.reference_lungs import read_reference_lungs
from lungpipe.geometry import Grid
from lungpipe.volumes.labels import count_overlap, dice, resample_labels, side_volumes
from lungpipe.volumes.sides import LEFT, RIGHT

NO_LUNGS = "expected a lung mask to compare, found preprocessing.lung_mask 'whole', which finds no lungs"


def judge_lungs(scan: ScanFiles, lungs: NDArray[np.uint8], grid: Grid, *, is_whole: bool) -> dict[str, Any]:
    """Return the QC columns of the lungs (uint8, zyx, on `grid`) alone and beside the scan's reference, if it has one.

    A reference that cannot be used is no failure of the scan, whose volume does not depend on it: its columns are
    left out, and `reference_reason` says why. `is_whole`: the mask is the whole volume, and no lungs.
    """
    if is_whole:
        return {"reference_reason": NO_LUNGS} if scan.reference else {}
    left_ml, right_ml = side_volumes(lungs, grid)
    columns: dict[str, Any] = {"left_lung_ml": round(left_ml, 3), "right_lung_ml": round(right_ml, 3)}
    if scan.reference is None:
        return columns
    try:
        native = read_header(scan.header_path).grid
        reference = read_reference_lungs(scan.reference.header_path, native)
    except (ValueError, OSError) as error:
        return {**columns, "reference_reason": str(error)}
    return {**columns, **compare_lungs(lungs, resample_labels(reference, native, grid), grid)}


def compare_lungs(lungs: NDArray[np.uint8], reference: NDArray[np.uint8], grid: Grid) -> dict[str, float]:
    """Return the QC columns of two lung masks (uint8, zyx; 1 left, 2 right) on one grid: Dice, and the reference's ml.

    Dice is NaN for a lung that neither mask has.
    """
    overlap = count_overlap(lungs, reference)
    reference_ml = float(overlap[:, [LEFT, RIGHT]].sum()) * grid.voxel_volume_mm3 / 1000.0
    return {
        "lungs_dice": round(dice(overlap, LEFT, RIGHT), 5),
        "left_lung_dice": round(dice(overlap, LEFT), 5),
        "right_lung_dice": round(dice(overlap, RIGHT), 5),
        "reference_lungs_ml": round(reference_ml, 3),
    }
