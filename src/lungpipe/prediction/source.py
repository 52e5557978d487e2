"""The input of a prediction: a scan of any format, a store, or an array in memory."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.padding import accept_scan, whole_hu
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan, ScanError, check_grid
from lungpipe.geometry import Grid
from lungpipe.geometry.grid import IDENTITY, Matrix, Triple
from lungpipe.prediction.limits import RefusedScanError
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import VolumeError, open_volume
from lungpipe.volumes.volume import MemoryVolume

if TYPE_CHECKING:
    from lungpipe.datasets.dicom.thinnest import Proposal

ARRAY = Path("array")
"""Stands for the path of a scan that comes as an array."""


def make_scan(
    hu: NDArray[Any],
    spacing_zyx_mm: Triple,
    origin_zyx_mm: Triple = (0.0, 0.0, 0.0),
    direction_zyx: Matrix = IDENTITY,
    *,
    series_uid: str = "array",
) -> Scan:
    """Return a scan of an array of HU (zyx, any number type); the array stays as it is.

    `origin_zyx_mm` is the world position of voxel (0, 0, 0), LPS mm. Column j of `direction_zyx` is the unit vector
    along array axis j in world coordinates. Values are rounded; NaN outside the body counts as air.

    Raises:
        ScanError: an array that is not three-dimensional, a grid that no CT has, or values that are not HU.
    """
    array = np.asarray(hu)
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        raise ScanError(f"array: expected three dimensions (zyx) of numbers, found {array.ndim} of {array.dtype}")
    depth, height, width = array.shape
    try:
        grid = Grid((depth, height, width), spacing_zyx_mm, origin_zyx_mm, direction_zyx)
    except ValueError as error:
        raise ScanError(f"array: {error}") from None
    check_grid(grid, ARRAY)
    return accept_scan(Scan(series_uid, whole_hu(array, ARRAY), grid), ARRAY)


def open_source(source: Path | str | Scan, series_uid: str | None, spacing_zyx_mm: Triple) -> Scan | MemoryVolume:
    """Return a scan, or the volume of a store that `lungpipe prepare` wrote, which must have the model's spacing.

    `series_uid` chooses a series of a DICOM folder or archive. Without a choice, the CT series with the thinnest slices
    is read where there are several, and a remark says so.

    Raises:
        RefusedScanError: a scan or store that cannot be used.
    """
    if isinstance(source, Scan):
        return source
    path = Path(source)
    try:
        if not path.name.endswith(STORE_SUFFIX):
            return _read(path, series_uid)
        stored = open_volume(path)
    except (ScanError, VolumeError) as error:
        raise RefusedScanError("unusable", str(error)) from None
    if not np.allclose(stored.grid.spacing_zyx_mm, spacing_zyx_mm, rtol=0, atol=1e-6):
        found = f"found {stored.grid.spacing_zyx_mm}"
        raise RefusedScanError("unusable", f"{path}: expected the model's spacing {spacing_zyx_mm} mm (zyx), {found}")
    return MemoryVolume(stored.series_uid, stored.grid, stored.read_hu(), stored.read_lungs())


def _read(path: Path, series_uid: str | None) -> Scan:
    try:
        return read_scan(path, series_uid)
    except ScanError:
        # looked for only now: a folder of one series is read without listing its files twice
        proposal = _propose(path) if series_uid is None else None
        if proposal is None:
            raise
    scan = read_scan(path, proposal.series_uid)
    return replace(scan, remarks=(proposal.remark, *scan.remarks))


def _propose(path: Path) -> "Proposal | None":
    # pydicom is imported for DICOM alone
    from lungpipe.datasets.dicom.thinnest import propose_series

    try:
        return propose_series(path)
    except ScanError:
        return None  # the reader's own error says more
