"""The scene of a scan of any format, or of a store, with candidates and masks from files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.prediction.file_names import CANDIDATES_FILE, LUNGS_FILE, NODULES_FILE
from lungpipe.prediction.privacy import digest_of_name, without_identifiers
from lungpipe.preparation.image_files import read_labels
from lungpipe.preparation.volume import find_lungs
from lungpipe.resampling.resample import resample_labels
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables.errors import InputError
from lungpipe.viewer.listed import MAX_MARKS, read_marks
from lungpipe.viewer.scene import Scene, as_bytes
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import open_volume


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown with a scan.

    candidates: CSV in LUNA16's columns. lungs, nodules: masks (MetaImage or NIfTI, on any grid); the labels of
    nodules are the candidates' numbers. has_lungs: find the lungs of a scan without a mask. threshold: see `Scene`.
    series_uid: chooses a series of a DICOM folder.
    """

    candidates: Path | None = None
    lungs: Path | None = None
    nodules: Path | None = None
    has_lungs: bool = True
    threshold: float = 0.5
    series_uid: str | None = None

    def with_prediction(self, folder: Path) -> "Shown":
        """Return the same with the files of a folder that `lungpipe predict` wrote; files that are given already stay.

        Raises:
            InputError: a folder without candidates.csv.
        """
        if not (folder / CANDIDATES_FILE).is_file():
            raise InputError(f"{folder}: expected {CANDIDATES_FILE} of a prediction, found none")
        lungs, nodules = (path if (path := folder / name).is_file() else None for name in (LUNGS_FILE, NODULES_FILE))
        return replace(
            self,
            candidates=self.candidates or folder / CANDIDATES_FILE,
            lungs=self.lungs or lungs,
            nodules=self.nodules or nodules,
        )


def open_scene(source: Path, shown: Shown, *, on_remark: Callable[[str], None]) -> Scene:
    """Return the scene of a scan or store on its own grid.

    A store has lungs of its own; the lungs of a scan are read from a mask or found. Lungs that cannot be found are left
    out. `on_remark` is called with sentences for the user; the page has them without identifiers.

    Raises:
        ValueError: a scan, store, mask or CSV that cannot be used (ScanError, VolumeError, InputError).
    """
    source = Path(source)
    remarks: list[str] = []
    scan, lungs = _open(source, shown.series_uid)
    remarks += scan.remarks
    if shown.lungs is not None:
        lungs = _on_grid(shown.lungs, scan.grid)
    elif lungs is None and shown.has_lungs:
        lungs = find_lungs(scan.hu, scan.grid, PreprocessingSettings())
        if not lungs.any():
            lungs = None
            remarks.append("no lungs were found")
    marks, num_rows = ((), 0) if shown.candidates is None else read_marks(shown.candidates, scan.series_uid, scan.grid)
    if num_rows and not marks:
        remarks.append(f"none of {num_rows} candidates are of this series")
    if len(marks) == MAX_MARKS:
        remarks.append(f"at most the {MAX_MARKS} most probable candidates are shown")
    for remark in remarks:
        on_remark(remark)
    return Scene(
        hu=scan.hu,
        grid=scan.grid,
        scan_grid=scan.grid,
        digest=digest_of_name(scan.series_uid),
        lungs=lungs if shown.has_lungs else None,
        nodules=None if shown.nodules is None else _on_grid(shown.nodules, scan.grid),
        marks=marks,
        threshold=shown.threshold,
        notes=tuple(_sentence(without_identifiers(remark, source)) for remark in remarks),
    )


def _open(source: Path, series_uid: str | None) -> tuple[Scan, NDArray[np.uint8] | None]:
    if not source.name.endswith(STORE_SUFFIX):
        return read_scan(source, series_uid), None
    volume = open_volume(source)
    return Scan(volume.series_uid, volume.read_hu(), volume.grid), volume.read_lungs()


def _on_grid(path: Path, grid: Grid) -> NDArray[np.uint8]:
    labels, source = read_labels(path)
    return resample_labels(as_bytes(labels), source, grid)


def _sentence(remark: str) -> str:
    return f"{remark[0].upper()}{remark[1:]}."
