"""The DICOM series of a prediction: its headers, and the plane of every slice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import is_zipfile

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from lungpipe.datasets.dicom import read_stacks
from lungpipe.datasets.dicom.files import is_dicom
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.zipped import unpack
from lungpipe.geometry import Grid
from lungpipe.volumes.manifest import STORE_SUFFIX

REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID")
"""Elements that a segmentation takes from its source."""
EMPTY_IF_MISSING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Elements that a source must have and may leave empty."""


class SourceError(ValueError):
    """A series that DICOM objects cannot refer to; the message says what is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceSeries:
    """A DICOM series: one dataset per file (no pixels), and the plane of each slice in the order of the frames.

    Slices of single-frame files are in the order of the datasets. `planes` are grids of shape (1, rows, columns).
    """

    datasets: tuple[Dataset, ...]
    planes: tuple[Grid, ...]
    slice_distance_mm: float


@contextmanager
def opened_series(source: Path, series_uid: str) -> Iterator[SourceSeries | None]:
    """Yield the series of a DICOM folder, file or archive; None if the source is not DICOM.

    Raises:
        SourceError: an element that is missing.
        ScanError: a series that is no regular volume.
    """
    if not is_dicom_source(source):
        yield None
        return
    if source.is_dir() or not is_zipfile(source):
        yield _read(source, series_uid)
        return
    with TemporaryDirectory(prefix="lungpipe-") as temporary:
        unpack(source, Path(temporary))
        yield _read(Path(temporary), series_uid)


def is_dicom_source(source: Path) -> bool:
    """Return whether a path may hold DICOM: a folder that is no store, a file of DICOM, or an archive."""
    if source.is_dir():
        return not source.name.endswith(STORE_SUFFIX)
    return is_dicom(source) or is_zipfile(source)


def _read(folder: Path, series_uid: str) -> SourceSeries | None:
    stacks = read_stacks(folder, [series_uid])
    if series_uid not in stacks:
        return None
    stack = stacks[series_uid]
    paths = list(dict.fromkeys(item.path for item in stack.slices))
    if len(paths) > 1 and len(paths) < len(stack.slices):
        raise SourceError(f"expected one file, or a file for each slice, found {len(paths)} files of many slices")
    datasets = tuple(_completed(pydicom.dcmread(path, stop_before_pixels=True, force=True)) for path in paths)
    slices = stack.slices
    if len(paths) == 1:
        # frames in the order of the file
        slices = sorted(slices, key=lambda item: item.frame or 0)
    return SourceSeries(datasets, tuple(_plane(item) for item in slices), stack.grid.spacing_zyx_mm[0])


def _completed(dataset: Dataset) -> Dataset:
    for keyword in REQUIRED:
        if not dataset.get(keyword):
            raise SourceError(f"expected the element {keyword} in the source, found none")
    for keyword in EMPTY_IF_MISSING:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    return dataset


def _plane(item: Slice) -> Grid:
    header = item.header
    row, column = (np.array(header.ImageOrientationPatient[k : k + 3], dtype=np.float64) for k in (0, 3))
    spacing_y, spacing_x = (float(value) for value in header.PixelSpacing)
    direction = np.stack([row, column, np.cross(row, column)], axis=1).ravel().tolist()
    size = [int(header.Columns), int(header.Rows), 1]
    origin = [float(value) for value in header.ImagePositionPatient]
    return Grid.from_xyz(size, [spacing_x, spacing_y, 1.0], origin, direction)
