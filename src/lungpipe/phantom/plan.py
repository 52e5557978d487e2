"""The scans of a phantom: series, patients and files, planned before anything is written."""

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungpipe.settings import PhantomSettings

PHANTOM_TABLES = (
    "annotations.csv",
    "annotations_excluded.csv",
    "candidates_V2.csv",
    "nodule_ratings.csv",
    "series.csv",
)
LABELS_FOLDER = "seg-lungs-LUNA16"
FULL_SIZE = PhantomSettings(
    scans_per_subset=1,
    extent_zyx_mm=(300.0, 300.0, 380.0),
    slice_spacing_mm=(1.0, 1.0),
    matrix_size=512,
    nodules_per_scan=3.0,
)
"""Chests as large as real ones, 512 x 512 x 300 voxels."""
FIRST_OF_PAIR, SECOND_OF_PAIR = 2, 6
"""subsets that hold two scans of one patient, as LUNA16 does with LIDC-IDRI-0332"""
FLIP_EVERY = 5


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """One scan: its place in the dataset and the seeds that it derives from."""

    index: int
    subset: int
    series_uid: str
    patient: int
    has_nodules: bool
    is_flipped: bool
    seed: int

    @property
    def patient_id(self) -> str:
        """The patient's name in series.csv."""
        return f"PHANTOM-{self.patient:04d}"

    @property
    def file_name(self) -> str:
        """The header's file name, in its subset folder and among the labels."""
        return f"{self.series_uid}.mhd"

    def patient_rng(self) -> np.random.Generator:
        """Return the generator for the parts that all scans of the patient share."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(0, self.patient)))

    def scan_rng(self) -> np.random.Generator:
        """Return the generator for the parts of this scan alone."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1, self.index)))


def plan_scans(settings: PhantomSettings, num_subsets: int) -> list[PlannedScan]:
    """Return all scans in order.

    The last scan of most subsets has no nodules; every fifth scan is stored flipped; the first scans of subsets 2 and
    6 (or the last subset, of fewer) are of one patient.
    """
    per_subset = settings.scans_per_subset
    scans = []
    for index in range(num_subsets * per_subset):
        subset, place = divmod(index, per_subset)
        is_second = place == 0 and subset == min(SECOND_OF_PAIR, num_subsets - 1) and subset > FIRST_OF_PAIR
        is_empty = place == per_subset - 1 and (subset % 5 != 3 if per_subset > 1 else subset % 5 == 4)
        scans.append(
            PlannedScan(
                index=index,
                subset=subset,
                series_uid=series_uid(settings.seed, index),
                patient=FIRST_OF_PAIR * per_subset if is_second else index,
                has_nodules=is_second or not is_empty,
                is_flipped=index % FLIP_EVERY == FLIP_EVERY - 1,
                seed=settings.seed,
            )
        )
    return scans


def series_uid(seed: int, index: int) -> str:
    """Return the UID of a scan: a UUID under DICOM's root for them (2.25), which belongs to no organisation."""
    digest = hashlib.sha256(f"lungpipe phantom {seed} {index}".encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def planned_files(root: Path, settings: PhantomSettings, num_subsets: int) -> dict[int, list[Path]]:
    """Return each subset's .mhd and .raw paths; writes nothing."""
    files: dict[int, list[Path]] = {subset: [] for subset in range(num_subsets)}
    for scan in plan_scans(settings, num_subsets):
        header = Path(root) / f"subset{scan.subset}" / scan.file_name
        files[scan.subset] += [header, header.with_suffix(".raw")]
    return files
