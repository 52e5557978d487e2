"""The LUNA16 layout: subset folders with one MetaImage file pair per series, and a check that runs before any work."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lungpipe.datasets.annotations import (
    ANNOTATIONS_FILE,
    EXCLUSIONS_FILE,
    RATINGS_FILE,
    DatasetError,
    read_annotations,
    read_exclusions,
    read_patients,
    read_ratings,
)
from lungpipe.datasets.metaimage_header import HEADER_ENDINGS, VOXELS_ENDINGS, find_data, read_fields
from lungpipe.datasets.scan import ScanError

LUNGS_FOLDER = "seg-lungs-LUNA16"
"""The folder beside the subsets with a reference lung mask for each scan."""
MASKS_FOLDER = "nodule_masks"
"""The folder beside the subsets with masks of nodules, named by their series."""


@dataclass(frozen=True, slots=True)
class ScanFiles:
    """The files of one series; `data_path` equals `header_path` where one file holds both.

    `reference` are the files of the reference lung mask, if there is one; no volume depends on them.
    """

    series_uid: str
    header_path: Path
    data_path: Path
    reference: "ScanFiles | None" = None

    def to_texts(self) -> list[str]:
        """Return series UID, header and data, and header and data of the reference mask where there is one."""
        files = [self] if self.reference is None else [self, self.reference]
        return [self.series_uid, *(path.as_posix() for scan in files for path in (scan.header_path, scan.data_path))]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> "ScanFiles":
        """Return what `to_texts` wrote."""
        uid, *names = texts
        paths = [Path(name) for name in names]
        reference = cls(uid, paths[2], paths[3]) if len(paths) > 2 else None
        return cls(uid, paths[0], paths[1], reference)


def list_scans(root: Path, subset: int) -> tuple[ScanFiles, ...]:
    """Return the scans of one subset folder, sorted by series UID; reads no more than the headers.

    A header that names no file beside itself is listed with itself as data, and voxels that have lost their header are
    listed with themselves as header: their reader reports the error later.

    Raises:
        DatasetError: the folder is missing.
    """
    folder = Path(root) / f"subset{subset}"
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected the folder of subset {subset}, found none")
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    headers = [path for path in paths if path.suffix.lower() in HEADER_ENDINGS]
    scans = [
        ScanFiles(path.name[:-4], path, _data_path(path), _find_in(Path(root) / LUNGS_FOLDER, path.name[:-4]))
        for path in headers
    ]
    known = {path for scan in scans for path in (scan.data_path, *_besides(scan.header_path))}
    lost = [path for path in paths if path.suffix.lower() in VOXELS_ENDINGS and path not in known]
    scans += [ScanFiles(path.name.removesuffix(path.suffix), path, path) for path in lost]
    return tuple(sorted(scans, key=lambda scan: (scan.series_uid, scan.header_path.name)))


def find_mask(root: Path, series_uid: str) -> ScanFiles | None:
    """Return the files of a series' nodule mask; none if the dataset has none for the series."""
    return _find_in(Path(root) / MASKS_FOLDER, series_uid)


def _find_in(folder: Path, series_uid: str) -> ScanFiles | None:
    header_path = folder / f"{series_uid}.mhd"
    return ScanFiles(series_uid, header_path, _data_path(header_path)) if header_path.is_file() else None


def _data_path(header_path: Path) -> Path:
    if header_path.suffix.lower() == ".mha":
        return header_path
    try:
        named = find_data(header_path, read_fields(header_path)[0])
        if named.is_file():
            return named
    except (ScanError, OSError):
        # left to the reader, so that one bad file fails one scan and does not hide the others
        named = header_path
    return next((path for path in _besides(header_path) if path.is_file()), header_path)


def _besides(header_path: Path) -> list[Path]:
    return [header_path.with_suffix(suffix) for suffix in VOXELS_ENDINGS]


Listing = dict[int, tuple[ScanFiles, ...]]
"""The scans of every subset."""


def check_dataset(root: Path, num_subsets: int) -> Listing:
    """Return the scans of every subset after checking folders and tables; reads headers' first lines and the CSVs only.

    Raises:
        DatasetError: a missing folder or table, a subset without scans, a series twice, two series with one file of
            voxels, or a row of a series outside the subsets; the message names file, row and series.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: expected the dataset's folder, found none")
    listing = {subset: list_scans(root, subset) for subset in range(num_subsets)}
    subsets = find_subsets(root, listing)
    tables = {
        ANNOTATIONS_FILE: read_annotations(root),
        EXCLUSIONS_FILE: read_exclusions(root),
        RATINGS_FILE: read_ratings(root),
    }
    for name, table in tables.items():
        check_known(root / name, table, subsets)
    read_patients(root)
    return listing


def find_subsets(root: Path, listing: Mapping[int, Sequence[ScanFiles]]) -> dict[str, int]:
    """Return the subset of every series; raises DatasetError for an empty subset, a series or a voxels' file twice."""
    listed = [(scan, subset) for subset, scans in listing.items() for scan in scans]
    found = [(scan.series_uid, subset) for scan, subset in listed]
    # a fold is evaluated on its subset: a subset unpacked elsewhere must not count as an empty one
    empty = sorted(subset for subset, scans in listing.items() if not scans)
    if empty:
        raise DatasetError(f"{Path(root) / f'subset{empty[0]}'}: expected scans (.mhd or .mha), found none")
    uid, count = Counter(uid for uid, _ in found).most_common(1)[0]
    if count > 1:
        places = ", ".join(f"subset{subset}" for name, subset in found if name == uid)
        raise DatasetError(f"{root}: series {uid}: expected it in one subset, once, found it in {places}")
    owners: dict[Path, str] = {}
    for scan, _ in listed:
        owner = owners.setdefault(scan.data_path, scan.series_uid)
        if owner != scan.series_uid:
            raise DatasetError(f"{scan.data_path}: expected voxels of one series, found {owner} and {scan.series_uid}")
    return dict(found)


def check_known(path: Path, table: pd.DataFrame, subsets: Mapping[str, int]) -> None:
    """Raise DatasetError for the first row of `table` whose series no subset holds."""
    unknown = ~table["series_uid"].isin(list(subsets))
    if unknown.any():
        row = table.loc[unknown.idxmax()]
        raise DatasetError(
            f"{path}, line {row['line']}: expected a series of the {len(subsets)} in the subsets,"
            f" found {row['series_uid']} ({int(unknown.sum())} such rows)"
        )
