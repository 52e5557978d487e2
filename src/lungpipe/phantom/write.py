"""Write a phantom dataset in LUNA16's layout."""

import csv
import io
import logging
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lungpipe.phantom.acquisition import Acquisition, draw_acquisition
from lungpipe.phantom.candidates import draw_candidates
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.phantom.nodules import Nodule
from lungpipe.phantom.patient import Patient, draw_patient
from lungpipe.phantom.plan import LABELS_FOLDER, PHANTOM_TABLES, PlannedScan, plan_scans
from lungpipe.phantom.ratings import rate_traits
from lungpipe.phantom.render import render
from lungpipe.settings import PhantomSettings
from lungpipe.tables import RATING_COLUMNS, write_text

_log = logging.getLogger(__name__).info

Row = tuple[str | int | float, ...]
POSITION = ("seriesuid", "coordX", "coordY", "coordZ")
HEADERS: dict[str, tuple[str, ...]] = {
    "annotations.csv": (*POSITION, "diameter_mm"),
    "annotations_excluded.csv": (*POSITION, "diameter_mm"),
    "candidates_V2.csv": (*POSITION, "class"),
    "nodule_ratings.csv": (*POSITION, "diameter_mm", *RATING_COLUMNS.values()),
    "series.csv": ("seriesuid", "patient_id", "subset"),
}


@dataclass(frozen=True, slots=True)
class ScanRows:
    """The rows that one scan adds to the tables, by table name."""

    series_uid: str
    rows: dict[str, list[Row]]


def write_phantom(
    root: Path,
    settings: PhantomSettings,
    num_subsets: int,
    *,
    num_workers: int = 1,
    log: Callable[[str], None] = _log,
) -> None:
    """Write scans, lung labels and tables below `root`.

    The same settings, of which the seed is one, give the same bytes for any number of workers. The tables are written
    last, so that tables exist only together with all scans.
    """
    root = Path(root)
    scans = plan_scans(settings, num_subsets)
    written = []
    for rows in _in_parallel(partial(write_scan, root, settings), scans, num_workers):
        written.append(rows)
        log(f"phantom: wrote scan {len(written)} of {len(scans)}, {rows.series_uid}")
    for name in PHANTOM_TABLES:
        _write_csv(root / name, HEADERS[name], [row for scan in written for row in scan.rows[name]])


def write_scan(root: Path, settings: PhantomSettings, planned: PlannedScan) -> ScanRows:
    """Write one scan and its lung labels; return its rows of the tables."""
    patient = draw_patient(settings, planned.has_nodules, planned.patient_rng())
    rng = planned.scan_rng()
    scan = draw_acquisition(settings, planned.is_flipped, rng)
    hu, labels = render(patient, scan, rng)
    write_metaimage(scan.as_stored(hu), scan.grid, root / f"subset{planned.subset}" / planned.file_name)
    labels_path = root / LABELS_FOLDER / planned.file_name
    write_metaimage(scan.as_stored(labels), scan.grid, labels_path, is_compressed=True)
    return ScanRows(planned.series_uid, _rows(planned, patient, scan, rng))


def _rows(planned: PlannedScan, patient: Patient, scan: Acquisition, rng: np.random.Generator) -> dict[str, list[Row]]:
    def at(point_zyx_mm: Iterable[float]) -> Row:
        z, y, x = (float(v) for v in scan.to_world(np.asarray(point_zyx_mm)))
        return (planned.series_uid, x, y, z)

    nodules = [(*at(n.center_zyx_mm), n.appearance.diameter_mm) for n in patient.nodules]
    ratings = [_rating_cells(nodule) for nodule in patient.nodules]
    points, classes = draw_candidates(patient, rng)
    return {
        "annotations.csv": nodules,
        "annotations_excluded.csv": [(*at(d.center_zyx_mm), d.diameter_mm) for d in patient.decoys],
        "candidates_V2.csv": [(*at(point), kind) for point, kind in zip(points, classes, strict=True)],
        "nodule_ratings.csv": [(*row, *rated) for row, rated in zip(nodules, ratings, strict=True)],
        "series.csv": [(planned.series_uid, planned.patient_id, planned.subset)],
    }


def _rating_cells(nodule: Nodule) -> list[str]:
    rated = {"malignancy": nodule.malignancy_ratings}
    rated |= rate_traits(nodule.appearance, len(nodule.malignancy_ratings))
    return [";".join(map(str, rated[name])) for name in RATING_COLUMNS]


def _in_parallel(
    work: Callable[[PlannedScan], ScanRows], scans: list[PlannedScan], num_workers: int
) -> Iterator[ScanRows]:
    """Yield results in the order of the scans."""
    if num_workers == 1:
        yield from map(work, scans)
        return
    # fork: the other start methods run the caller's main module again, which fails in a workflow script
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        yield from pool.map(work, scans)


def _write_csv(path: Path, header: tuple[str, ...], rows: list[Row]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
