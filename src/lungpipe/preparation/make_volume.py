"""Build a volume on its grid: the lungs are found while the image is written."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.lungs.segment import segment_lungs
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.writer import VolumeDraft

Found = TypeVar("Found")


def find_lungs(hu: NDArray[np.int16], grid: Grid, settings: PreprocessingSettings) -> NDArray[np.uint8]:
    """Return the undilated lung labels (1 left, 2 right) by the settings' method; `whole` labels every voxel 1."""
    if settings.lung_mask == "whole":
        return np.ones(grid.shape_zyx, dtype=np.uint8)
    return segment_lungs(hu, grid, threshold_hu=settings.lung_threshold_hu)


def require_lungs(lungs: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Return lung labels unless there are none: a volume without lungs would be a patient without findings.

    Raises:
        ScanError: no lungs; the message names the scan's file.
    """
    if not lungs.any():
        found = "found no dark region within tissue; preprocessing.lung_mask 'whole' takes a scan as it is"
        raise ScanError(f"{path}: expected a chest with lungs, {found}")
    return lungs


def fill_draft(
    draft: VolumeDraft,
    hu: NDArray[np.int16],
    find: Callable[[], NDArray[np.uint8]],
    look: Callable[[], Found],
) -> tuple[NDArray[np.uint8], Found]:
    """Write HU (int16, zyx, on the draft's grid) while `find` finds their lungs, then these.

    `look` has the thread that writes once the image is written. Returns the labels, and what it returned.
    """
    with ThreadPoolExecutor(1) as beside:  # compression and checksums leave the interpreter's lock
        written = beside.submit(draft.write_hu, hu)
        read = beside.submit(look)
        lungs = find()
        written.result()
        draft.write_lungs(lungs)
        return lungs, read.result()
