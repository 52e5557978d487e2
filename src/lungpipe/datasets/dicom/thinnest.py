"""Propose one of several CT series: the one with the thinnest slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import is_zipfile

import numpy as np

from lungpipe.datasets.dicom.choice import choose_series, describe_series, group_series
from lungpipe.datasets.dicom.files import find_images
from lungpipe.datasets.dicom.frames import list_frames
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.scan import ScanError
from lungpipe.datasets.zipped import unpack

FEWEST = 20
"""Series of fewer slices are proposed only if no series has as many: they show a part of the chest."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The UID of a series, and a sentence for the user that says which series was chosen and why."""

    series_uid: str
    remark: str


def propose_series(source: Path) -> Proposal | None:
    """Return the CT series with the thinnest slices of a DICOM folder or archive; None without at least two CT series.

    Of equally thin series the one with the most slices is proposed, then the first by UID. Distances are compared in
    steps of 0.05 mm.

    Raises:
        ScanError: a folder or archive that cannot be read.
    """
    if source.is_dir():
        return _propose(source)
    if not is_zipfile(source):
        return None
    with TemporaryDirectory(prefix="lungpipe-") as temporary:
        unpack(source, Path(temporary))
        return _propose(Path(temporary))


def _propose(folder: Path) -> Proposal | None:
    found = {}
    for uid, items in group_series(find_images(folder, is_required=False)).items():
        if (measured := _measure(folder, uid, items)) is not None:
            found[uid] = (*measured, items)
    if len(found) < 2:
        return None
    ranked = sorted(found, key=lambda uid: (found[uid][1] < FEWEST, round(found[uid][0] / 0.05), -found[uid][1], uid))
    distance, _, items = found[ranked[0]]
    chosen = f"chose the one with the thinnest slices, {distance:.2f} mm apart ({describe_series(items)})"
    return Proposal(ranked[0], f"{len(found)} CT series: {chosen}; --series chooses another")


def _measure(folder: Path, uid: str, items: Sequence[Slice]) -> tuple[float, int] | None:
    """Return the mean distance (mm) and the number of the slices of a series; None if the series is no CT volume."""
    try:
        slices, _ = list_frames(choose_series(folder, items, uid)[0])
        headers = [item.header for item in slices if item.header.get("Modality") == "CT"]
        positions = np.array([header.ImagePositionPatient for header in headers], dtype=np.float64)
    except (ScanError, AttributeError, TypeError, ValueError):
        return None  # localizers alone, or slices without positions
    if len(positions) < 2:
        return None
    length = float(np.linalg.norm(positions.max(axis=0) - positions.min(axis=0)))
    return (length / (len(positions) - 1), len(positions)) if length > 0 else None
