"""The raw files of a study: where they are, or, for the phantom, where they will be."""

from dataclasses import dataclass, replace
from pathlib import Path

from lungpipe.datasets.annotations import (
    ANNOTATIONS_FILE,
    EXCLUSIONS_FILE,
    RATINGS_FILE,
    SERIES_FILE,
    DatasetError,
    find_candidates,
    has_all_ratings,
)
from lungpipe.datasets.luna16 import LUNGS_FOLDER, MASKS_FOLDER, Listing, ScanFiles, check_dataset, find_mask
from lungpipe.datasets.whole_scans import WholeScan, find_whole_scans
from lungpipe.phantom import PHANTOM_TABLES, planned_files
from lungpipe.settings import ConfigSettings, DatasetSettings


@dataclass(frozen=True, slots=True)
class Readings:
    """Reading XML, and the folder of the annotations and excluded findings that locate its outlines."""

    path: Path
    annotations_dir: Path


@dataclass(frozen=True, slots=True)
class RawScans:
    """Root folder, scans by subset, the tables beside them, and the readings that make up for missing ratings.

    `by_subset` includes the whole scans beside a dataset of crops, as the MetaImage files that a rule writes;
    `whole_scans` are the same scans with their sources, and `whole_tables` their tables.
    """

    root: Path
    by_subset: Listing
    tables: tuple[str, ...]
    readings: Readings | None = None
    whole_scans: tuple[WholeScan, ...] = ()
    whole_tables: tuple[str, ...] = ()

    @classmethod
    def of(cls, study: ConfigSettings) -> "RawScans":
        """Find a study's raw files; nothing is written.

        Raises:
            DatasetError: a dataset that cannot be used as it is (see `check_dataset`).
        """
        dataset = study.dataset
        if dataset.kind == "phantom":
            root = Path(dataset.root or study.dataset_dir / "raw")
            planned = planned_files(root, dataset.phantom, dataset.num_subsets)
            scans = {subset: _pair(paths, root / LUNGS_FOLDER) for subset, paths in planned.items()}
            return cls(root, scans, tuple((root / name).as_posix() for name in PHANTOM_TABLES))
        root = Path(str(dataset.root))
        listing = check_dataset(root, dataset.num_subsets)
        whole = find_whole_scans(dataset, study.dataset_dir / "whole_scans", listing) if dataset.whole_scans else ()
        beside = {subset: tuple(one.scan for one in whole if one.subset == subset) for subset in listing}
        return cls(
            root,
            {subset: (*scans, *beside[subset]) for subset, scans in listing.items()},
            _tables_in(root),
            _find_readings(dataset, root),
            whole,
            _tables_in(Path(str(dataset.whole_scan_tables))) if whole else (),
        )

    def files(self, subset: int) -> list[str]:
        """Return headers and data of a subset's scans."""
        return [path.as_posix() for scan in self.by_subset[subset] for path in paths_of(scan)]

    def reference_files(self, subset: int) -> list[str]:
        """Return headers and data of the reference lung masks that a subset's scans have."""
        references = [scan.reference for scan in self.by_subset[subset] if scan.reference is not None]
        return [path.as_posix() for reference in references for path in paths_of(reference)]

    def mask_files(self, subset: int) -> list[str]:
        """Return headers and data of the nodule masks that a subset's scans have."""
        masks = (find_mask(self.root, scan.series_uid) for scan in self.by_subset[subset])
        return [path.as_posix() for mask in masks if mask is not None for path in paths_of(mask)]

    def require_masks(self) -> None:
        """Raise DatasetError unless a scan of the dataset has a nodule mask."""
        if not any(self.mask_files(subset) for subset in self.by_subset):
            folder = self.root / MASKS_FOLDER
            found = "none named by a series of the subsets" if folder.is_dir() else "no such folder"
            wanted = "masks (<series_uid>.mhd) for detector.sampling.mask 'annotated'"
            raise DatasetError(f"{folder}: expected {wanted}, found {found}; 'sphere' needs none")

    def require_candidates(self) -> None:
        """Raise DatasetError unless the dataset has, or the phantom will have, a table of candidates."""
        path = find_candidates(self.root)
        if not path.is_file() and path.as_posix() not in self.tables:
            wanted = "candidates (or candidates.csv) for detector.kind 'given'"
            raise DatasetError(f"{path}: expected {wanted}, found no such file; a trained detector needs none")

    def listing(self, subset: int, *, with_references: bool = False) -> list[list[str]]:
        """Return a subset's scans as texts, for the params of a job (see `ScanFiles.to_texts`)."""
        scans = self.by_subset[subset]
        return [(scan if with_references else replace(scan, reference=None)).to_texts() for scan in scans]

    def subset_of(self) -> dict[str, int]:
        """Return the subset of every series of the dataset itself, without whole scans beside it."""
        beside = self.whole_subset_of()
        listed = {scan.series_uid: subset for subset, scans in self.by_subset.items() for scan in scans}
        return {uid: subset for uid, subset in listed.items() if uid not in beside}

    def whole_subset_of(self, subset: int | None = None) -> dict[str, int]:
        """Return the subset of every whole scan beside the dataset, or of those of one subset."""
        return {one.scan.series_uid: one.subset for one in self.whole_scans if subset in (None, one.subset)}

    def whole_files(self) -> list[str]:
        """Return the MetaImage files of the whole scans beside the dataset."""
        return [path.as_posix() for one in self.whole_scans for path in paths_of(one.scan)]


def paths_of(scan: ScanFiles) -> tuple[Path, ...]:
    """Return the one or two files of a scan, without those of its reference lung mask."""
    return tuple(dict.fromkeys((scan.header_path, scan.data_path)))


def _tables_in(root: Path) -> tuple[str, ...]:
    names = (ANNOTATIONS_FILE, EXCLUSIONS_FILE, RATINGS_FILE, SERIES_FILE)
    return tuple((root / name).as_posix() for name in names if (root / name).is_file())


def _find_readings(dataset: DatasetSettings, root: Path) -> Readings | None:
    if dataset.lidc_xml is None or has_all_ratings(root):
        return None
    path = Path(dataset.lidc_xml)
    if not path.exists():
        raise DatasetError(f"dataset.lidc_xml: expected a folder or zip archive of readings, found no {path}")
    return Readings(path, Path(dataset.lidc_annotations or root))


def _pair(paths: list[Path], lungs: Path) -> tuple[ScanFiles, ...]:
    headers = sorted(path for path in paths if path.suffix == ".mhd")
    return tuple(
        ScanFiles(
            header.stem,
            header,
            header.with_suffix(".raw"),
            ScanFiles(header.stem, lungs / header.name, (lungs / header.name).with_suffix(".zraw")),
        )
        for header in headers
    )
