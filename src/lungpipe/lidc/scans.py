"""Find the grids of the scans of readings, and draw the readers' nodules on these grids."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.metaimage_header import HEADER_ENDINGS
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.lidc.outlines import consensus_mask
from lungpipe.lidc.ratings import RatedNodules


def find_grids(folder: Path, series_uids: Collection[str]) -> dict[str, Grid]:
    """Return the native grid of every wanted series below `folder`: LUNA16's subsets, or folders of DICOM slices.

    Of MetaImage and DICOM files no more than the header is read.

    Raises:
        ScanError: no folder, none of the wanted series in it, or a malformed or tilted scan (readers
            outlined nodules on the tilted slices).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ScanError(f"{folder}: expected a folder with scans, found none")
    images = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in HEADER_ENDINGS]
    headers = [path for path in images if path.stem in series_uids]
    grids = _metaimage_grids(headers) if headers else _dicom_grids(folder, series_uids)
    if not grids:
        raise ScanError(f"{folder}: expected scans of the {len(series_uids)} annotated series, found none")
    return grids


def label_image(rated: RatedNodules, series_uid: str, grid: Grid, agreement: float = 0.5) -> NDArray[np.uint8]:
    """Return the labels (grid's shape, zyx) of a series' nodules: n + 1 for its n-th annotation, 0 elsewhere.

    A voxel belongs to a nodule if at least `agreement` of its readers enclosed the voxel; of two nodules, to the first.

    Raises:
        ReadingError: outlines that do not fit the scan.
    """
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    rows = np.flatnonzero(rated.annotations["series_uid"] == series_uid)
    for number, row in enumerate(rows, start=1):
        group = rated.groups[row]
        if group is not None:
            labels[(labels == 0) & consensus_mask(group.members, grid, agreement)] = number
    return labels


def _metaimage_grids(headers: list[Path]) -> dict[str, Grid]:
    from lungpipe.datasets.metaimage_header import read_header

    return {path.stem: read_header(path).grid for path in headers}


def _dicom_grids(folder: Path, series_uids: Collection[str]) -> dict[str, Grid]:
    from lungpipe.datasets.dicom import read_stacks

    stacks = read_stacks(folder, series_uids)
    for uid, stack in stacks.items():
        if stack.is_tilted:
            raise ScanError(f"{folder}: series {uid}: expected slices straight above each other, found a tilted gantry")
    return {uid: stack.grid for uid, stack in stacks.items()}
