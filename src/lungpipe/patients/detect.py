"""Detections of scans outside a study: one scan of any format, a store, or a dataset in LUNA16's layout."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.candidates import Detections
from lungpipe.datasets.luna16 import list_scans
from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.two_stages import TwoStages
from lungpipe.models import ModelCard, digest_of
from lungpipe.models.hardware import name_hardware
from lungpipe.models.stored import has_role, load_role
from lungpipe.preparation.in_memory import prepare_in_memory
from lungpipe.settings import PreprocessingSettings
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.time_left import time_left
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import VolumeError, open_volume
from lungpipe.volumes.volume import Volume

Say = Callable[[str], None]
COLUMNS = ("series_uid", *CENTER_COLUMNS, "probability", "diameter_mm")
_SUBSET_FOLDER = re.compile(r"subset(\d+)")


@dataclass(frozen=True, slots=True)
class Search:
    """How scans are searched.

    is_whole: search the whole volume, not the lungs. threshold: drop detections of a lower probability. series_uid:
    chooses a series of a DICOM folder that holds several. threads: threads that resample a scan.
    """

    is_whole: bool = False
    threshold: float = 0.0
    series_uid: str | None = None
    threads: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections of all scans (columns COLUMNS; LPS mm), the scans' UIDs, and the reason of each scan that failed."""

    detections: pd.DataFrame
    series: tuple[str, ...]
    failures: dict[str, str]


def load_detector(path: Path, device: str, num_threads: int, *, key_file: Path | None = None) -> Detector:
    """Return the detector of a model file, a model's folder or a bundle, with its own inference settings.

    The hardware is that of `name_hardware`. `key_file` holds the key of an encrypted bundle.

    Raises:
        ValueError: no model, or no detector; a device that this machine does not have.
        FileNotFoundError: no such file.
    """
    hardware = name_hardware(device, num_threads)
    model = load_role(path, "detector", key_file)
    return Detector(model, TrainedDetector.model_validate(model.card.settings).inference, hardware)


def load_stages(
    path: Path, device: str, num_threads: int, *, key_file: Path | None = None, is_alone: bool = False
) -> Detector | TwoStages:
    """Return the detector, and with it the scorer of a model's folder or bundle; `is_alone` leaves the scorer out.

    Raises:
        ValueError, FileNotFoundError: see `load_detector`.
    """
    detector = load_detector(path, device, num_threads, key_file=key_file)
    if is_alone or not has_role(path, "scorer", key_file):
        return detector
    model = load_role(path, "scorer", key_file)
    inference = TrainedScorer.model_validate(model.card.settings).inference
    return TwoStages(detector, Scorer(model, inference, detector.hardware))


def is_dataset(source: Path) -> bool:
    """Return whether a path is a folder with subset folders (subset0, subset1, ...)."""
    source = Path(source)
    return source.is_dir() and bool(_subset_numbers(source))


def list_dataset(root: Path) -> dict[str, Path]:
    """Return the header of every scan in the subset folders, by series UID; reads no more than headers.

    Raises:
        ValueError: no scan, or a series twice.
    """
    scans = [scan for subset in _subset_numbers(Path(root)) for scan in list_scans(Path(root), subset)]
    if not scans:
        raise ValueError(f"{root}: expected scans (.mhd or .mha) in the subset folders, found none")
    uid, count = Counter(scan.series_uid for scan in scans).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{root}: series {uid}: expected it once, found it {count} times")
    return {scan.series_uid: scan.header_path for scan in scans}


def detect_scan(detector: Detector | TwoStages, source: Path, search: Search, *, say: Say, on_remark: Say) -> Found:
    """Detect in one scan or store; `say` gets a line when it is done, `on_remark` each remark of the reader.

    Raises:
        ValueError: a scan or store that cannot be used (ScanError, VolumeError among them).
    """
    volume = open_scan(source, search, detector.card.spacing_zyx_mm, on_remark=on_remark)
    table = _table(_detect(detector, volume, search), volume.series_uid)
    say(f"{volume.series_uid}: {len(table)} detections")
    return Found(table, (volume.series_uid,), {})


def detect_dataset(detector: Detector | TwoStages, root: Path, search: Search, *, say: Say, on_remark: Say) -> Found:
    """Detect in every scan of a dataset's folder; a scan that fails is kept as its reason, and the others go on.

    Raises:
        ValueError: see `list_dataset`.
    """
    scans = list_dataset(root)
    tables, failures, start = [_table(Detections.empty(), "")], {}, time.monotonic()
    for number, (series_uid, path) in enumerate(scans.items(), start=1):
        head = f"{number} of {len(scans)}, {series_uid}"
        try:
            volume = open_scan(path, search, detector.card.spacing_zyx_mm, on_remark=on_remark)
            tables.append(_table(_detect(detector, volume, search), series_uid))
        except Exception as error:  # noqa: BLE001 - one bad scan must not end the others; its reason is told at the end
            failures[series_uid] = str(error) or type(error).__name__
            text = "failed"
        else:
            text = f"{len(tables[-1])} detections"
        say(f"{head}: {text}{time_left(time.monotonic() - start, number, len(scans))}")
    filled = [table for table in tables if len(table)] or tables
    return Found(pd.concat(filled, ignore_index=True), tuple(scans), failures)


def open_scan(source: Path, search: Search, spacing_zyx_mm: tuple[float, float, float], *, on_remark: Say) -> Volume:
    """Return a store as it is, or a scan of any format resampled to the spacing (zyx, mm), in memory, with its lungs.

    Raises:
        VolumeError: a store that cannot be opened, or one of another spacing.
        ScanError: a scan that cannot be read, or that shows no lungs.
    """
    source = Path(source)
    if source.name.endswith(STORE_SUFFIX):
        volume = open_volume(source)
        if not np.allclose(volume.grid.spacing_zyx_mm, spacing_zyx_mm, rtol=0, atol=1e-6):
            found = f"found {_listed(volume.grid.spacing_zyx_mm)}"
            raise VolumeError(f"{source}: expected the model's spacing {_listed(spacing_zyx_mm)} mm (zyx), {found}")
        return volume
    lung_mask = "whole" if search.is_whole else "threshold"
    settings = PreprocessingSettings(spacing_zyx_mm=spacing_zyx_mm, lung_mask=lung_mask)
    return prepare_in_memory(source, settings, search.series_uid, threads=search.threads, on_remark=on_remark)


def count_seen(card: ModelCard, series_uids: tuple[str, ...]) -> int:
    """Return how many of the series the model was trained or validated on."""
    seen = {*card.training_series, *card.validation_series}
    return sum(digest_of(series_uid) in seen for series_uid in series_uids)


def _detect(detector: Detector | TwoStages, volume: Volume, search: Search) -> Detections:
    margin_mm = PreprocessingSettings().lung_margin_mm
    found = detector.detect(volume, region="whole" if search.is_whole else None, margin_mm=margin_mm)
    return found.take(np.flatnonzero(found.scores >= search.threshold))


def _table(found: Detections, series_uid: str) -> pd.DataFrame:
    values = np.column_stack([found.centers_zyx_mm, found.scores, found.diameters_mm])
    table = pd.DataFrame(values, columns=list(COLUMNS[1:]))
    table.insert(0, "series_uid", pd.Series([series_uid] * len(found), dtype="str"))
    return table


def _subset_numbers(root: Path) -> list[int]:
    matches = (_SUBSET_FOLDER.fullmatch(path.name) for path in root.iterdir() if path.is_dir())
    return sorted(int(match[1]) for match in matches if match)


def _listed(lengths: tuple[float, ...]) -> str:
    return ", ".join(f"{length:g}" for length in lengths)
