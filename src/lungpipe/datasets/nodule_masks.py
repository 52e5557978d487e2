"""Read a nodule mask: 0 and 1 in MetaImage, on its scan's grid or on one of its own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.metaimage import read_voxels
from lungpipe.datasets.metaimage_header import LABEL_TYPES, read_header
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid


def read_nodule_mask(path: Path) -> tuple[NDArray[np.uint8], Grid]:
    """Return a mask (uint8, zyx; 0 none, 1 nodule) and its grid.

    Raises:
        ScanError: a file that cannot be read, or values other than 0 and 1.
    """
    header = read_header(Path(path), LABEL_TYPES)
    mask = read_voxels(header)
    if mask.min() < 0 or mask.max() > 1:
        found = f"values from {mask.min()} to {mask.max()}"
        raise ScanError(f"{header.path}: expected a nodule mask of 0 and 1, found {found}")
    return mask.astype(np.uint8, copy=False), header.grid
