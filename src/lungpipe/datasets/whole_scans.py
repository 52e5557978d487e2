"""Whole scans beside a dataset of crops: where their files are, their subset and patient, and their targets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lungpipe.datasets.annotations import (
    SERIES_FILE,
    DatasetError,
    read_annotations,
    read_columns,
    read_exclusions,
    read_patients,
)
from lungpipe.datasets.luna16 import Listing, ScanFiles
from lungpipe.datasets.targets import Targets, collect_targets
from lungpipe.tables import EXCLUSIONS, NODULES, RATINGS, SERIES
from lungpipe.tables.csv_input import parse_number

if TYPE_CHECKING:
    from lungpipe.settings import DatasetSettings


@dataclass(frozen=True, slots=True)
class WholeScan:
    """A whole scan beside a dataset: its source (a file or a DICOM folder), its subset, and its MetaImage files.

    The MetaImage files do not exist before a rule has written them.
    """

    source: Path
    subset: int
    scan: ScanFiles

    def source_files(self) -> list[str]:
        """Return the files of the source, sorted."""
        files = [self.source] if self.source.is_file() else sorted(self.source.rglob("*"))
        return [path.as_posix() for path in files if path.is_file()]


def find_whole_scans(dataset: "DatasetSettings", folder: Path, listing: Listing) -> tuple[WholeScan, ...]:
    """Return the whole scans of the settings, with MetaImage files in `folder`, after checking them and their tables.

    The subset of a scan is that of series.csv in `dataset.whole_scan_tables`.

    Raises:
        DatasetError: no such scan or table, a series that the dataset has too, a series without patient and subset, or
            a patient whose scans in the dataset are in another subset (a leak between folds).
    """
    tables = Path(str(dataset.whole_scan_tables))
    subsets = _read_subsets(tables / SERIES_FILE, dataset)
    patients, known = read_patients(tables), _subsets_by_patient(Path(str(dataset.root)), listing)
    own = {scan.series_uid for scans in listing.values() for scan in scans}
    for read in (read_annotations, read_exclusions):
        read(tables)
    found = []
    for uid, name in dataset.whole_scans.items():
        place, source = f"dataset.whole_scans, series {uid}", Path(name)
        if not source.exists():
            raise DatasetError(f"{place}: expected a file or a DICOM folder, found no {source}")
        if uid in own:
            raise DatasetError(f"{place}: expected a scan beside those of {dataset.root}, found it there, too")
        if uid not in subsets:
            raise DatasetError(f"{place}: expected its patient and subset in {tables / SERIES_FILE}, found no row")
        subset, patient = subsets[uid], patients[uid]
        if others := sorted(known[patient] - {subset}):
            where = f"found scans of patient {patient} in subset {others[0]} of {dataset.root}"
            raise DatasetError(f"{place}: expected subset {subset} for all scans of its patient, {where}")
        header = Path(folder) / f"subset{subset}" / f"{uid}.mhd"
        found.append(WholeScan(source, subset, ScanFiles(uid, header, header.with_suffix(".zraw"))))
    return tuple(found)


def add_whole_scans(
    targets: Targets, tables: Path, subsets: Mapping[str, int], ratings_path: Path | None = None
) -> Targets:
    """Return the targets of a dataset and of whole scans beside it; `subsets` gives the subset of every whole scan.

    Rows of other series in the folder `tables` are left out. `ratings_path` as in `collect_targets`.

    Raises:
        DatasetError: see `collect_targets`.
    """
    beside = collect_targets(Path(tables), subsets, ratings_path, is_partial=True)

    def join(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        filled = [part for part in parts if len(part)]
        return pd.concat(filled or parts[:1], ignore_index=True)

    series = join([targets.series, beside.series]).sort_values(["subset", "series_uid"], ignore_index=True)
    return Targets(
        series=SERIES.conform(series),
        nodules=NODULES.conform(join([targets.nodules, beside.nodules])),
        ratings=RATINGS.conform(join([targets.ratings, beside.ratings])),
        exclusions=EXCLUSIONS.conform(join([targets.exclusions, beside.exclusions])),
    )


def _read_subsets(path: Path, dataset: "DatasetSettings") -> dict[str, int]:
    table = read_columns(path, ("seriesuid", "patient_id", "subset"))
    table = table[table["seriesuid"].isin(list(dataset.whole_scans))]
    numbers = table["subset"].map(parse_number)
    wrong = ~numbers.isin(range(dataset.num_subsets))
    if wrong.any():
        row = table.loc[wrong.idxmax()]
        raise DatasetError(
            f"{path}, line {row['line']}, series {row['seriesuid']}: subset: expected 0 to {dataset.num_subsets - 1}, "
            f"found {row['subset']!r}"
        )
    return dict(zip(table["seriesuid"], numbers.astype(int), strict=True))


def _subsets_by_patient(root: Path, listing: Listing) -> defaultdict[str, set[int]]:
    patients, known = read_patients(root), defaultdict[str, set[int]](set)
    for subset, scans in listing.items():
        for scan in scans:
            known[patients.get(scan.series_uid, scan.series_uid)].add(subset)
    return known
