"""Read a reference lung mask as LUNA16 ships it: labels in MetaImage on the scan's own grid."""

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.metaimage import read_voxels
from lungpipe.datasets.metaimage_header import LABEL_TYPES, read_header
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

LEFT, RIGHT, AIRWAYS = 3, 4, 5
"""LUNA16's labels; 0 is background, and trachea and main bronchi are not lung."""
MAX_NAMED = 10
"""Largest number of labels in an error message."""
GRID_TOLERANCE_MM = 0.1
"""Largest distance (mm) between the corners of equal grids, due to rounding in headers."""


def read_reference_lungs(path: Path, scan_grid: Grid) -> NDArray[np.uint8]:
    """Return a reference's lungs (uint8, zyx, on the scan's grid): 0 none, 1 left, 2 right.

    Raises:
        ScanError: a file that cannot be read, another grid than the scan's, or labels that are not LUNA16's.
    """
    header = read_header(Path(path), LABEL_TYPES)
    _check_grid(header.path, header.grid, scan_grid)
    labels = read_voxels(header)
    left, right = labels == LEFT, labels == RIGHT
    num_lungs = np.count_nonzero(left) + np.count_nonzero(right)
    num_others = np.count_nonzero(labels == 0) + np.count_nonzero(labels == AIRWAYS)
    if not num_lungs or num_lungs + num_others < labels.size:
        expected = f"{LEFT} (left lung), {RIGHT} (right lung) and {AIRWAYS} (airways) beside 0"
        found = ", ".join(map(str, np.unique(labels)[:MAX_NAMED]))
        raise ScanError(f"{header.path}: expected the labels {expected}, found {found}")
    lungs = left.view(np.uint8)
    lungs[right] = 2
    return lungs


def _check_grid(path: Path, grid: Grid, scan_grid: Grid) -> None:
    if grid.shape_zyx != scan_grid.shape_zyx:
        raise ScanError(f"{path}: expected the scan's shape {scan_grid.shape_zyx} (zyx), found {grid.shape_zyx}")
    corners = list(product(*((0, size - 1) for size in grid.shape_zyx)))
    apart_mm = np.linalg.norm(grid.to_world(corners) - scan_grid.to_world(corners), axis=1).max()
    if apart_mm > GRID_TOLERANCE_MM:
        raise ScanError(
            f"{path}: expected the scan's grid (corners within {GRID_TOLERANCE_MM} mm),"
            f" found corners {apart_mm:.3g} mm away from it"
        )
