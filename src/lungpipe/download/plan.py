"""Plan a download: files to fetch, files that exist, and disk space."""

from dataclasses import dataclass, field
from pathlib import Path

from lungpipe.datasets.luna16 import LUNGS_FOLDER
from lungpipe.download.connection import ZENODO_RECORDS, FetchError
from lungpipe.download.ledger import Ledger
from lungpipe.download.records import read_record, records_of
from lungpipe.download.space import check_space
from lungpipe.download.transfer import RemoteFile, RetryPolicy, matches
from lungpipe.download.watch import Watch

NUM_SUBSETS = 10
MAX_CONNECTIONS = 4
ARCHIVES_FOLDER = "archives"
GROWTH = 2.0
"""assumed ratio of unpacked to packed size, before the archive's list is known; CT deflates to about a half"""
TABLES: dict[str, tuple[str, ...]] = {
    "annotations.csv": ("annotations.csv",),
    "candidates_V2.zip": ("candidates_V2.csv",),
    "evaluationScript.zip": ("annotations_excluded.csv", "seriesuids.csv"),
}
"""the tables of every remote file; an archive's other content (scripts, examples) is not unpacked"""
LUNGS_ARCHIVE = f"{LUNGS_FOLDER}.zip"
"""the reference lung masks of all scans"""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch and how; `source` is an address that serves the records as Zenodo does."""

    subsets: tuple[int, ...] = tuple(range(NUM_SUBSETS))
    tables_only: bool = False
    lung_masks: bool = False
    keep_archives: bool = False
    source: str = ZENODO_RECORDS
    num_connections: int = MAX_CONNECTIONS
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if not 1 <= self.num_connections <= MAX_CONNECTIONS:
            raise FetchError(f"expected 1 to {MAX_CONNECTIONS} connections, found {self.num_connections}")
        unknown = [subset for subset in self.subsets if not 0 <= subset < NUM_SUBSETS]
        if unknown or (not self.subsets and not self.tables_only):
            raise FetchError(f"expected subsets among 0 to {NUM_SUBSETS - 1}, found {unknown or 'none'}")


@dataclass(frozen=True, slots=True)
class Item:
    """One remote file and what comes out of it: tables, or the folder of a subset or of the lung masks."""

    file: RemoteFile
    targets: tuple[Path, ...]

    @property
    def is_archive(self) -> bool:
        """Return whether the file is unpacked after the download."""
        return self.file.name.endswith(".zip")


def list_items(dest: Path, request: FetchRequest, watch: Watch) -> list[Item]:
    """Return the requested items of the records, small files first.

    Raises:
        FetchError: a record that cannot be read, or a record without a requested file.
    """
    subsets = () if request.tables_only else tuple(sorted(set(request.subsets)))
    remote: dict[str, RemoteFile] = {}
    for record in records_of(subsets):
        remote |= read_record(request.source, record, request.policy, watch)
    wanted = {name: tuple(dest / table for table in tables) for name, tables in TABLES.items()}
    wanted |= {LUNGS_ARCHIVE: (dest / LUNGS_FOLDER,)} if request.lung_masks else {}
    wanted |= {f"subset{subset}.zip": (dest / f"subset{subset}",) for subset in subsets}
    missing = [name for name in wanted if name not in remote]
    if missing:
        raise FetchError(f"{request.source}: expected {', '.join(missing)}, found {', '.join(sorted(remote))}")
    return [Item(remote[name], targets) for name, targets in wanted.items()]


def drop_complete(items: list[Item], ledger: Ledger, watch: Watch) -> list[Item]:
    """Return the items that are not complete yet.

    Raises:
        FetchError: another file or folder has an item's path; it was not written by a fetch and is not overwritten.
    """
    missing = []
    for item in items:
        if ledger.is_complete(item.file):
            watch.say(f"{item.file.name}: complete")
            continue
        for target in item.targets:
            _check_ours(target, item, ledger)
        missing.append(item)
    return missing


def check_disk(dest: Path, items: list[Item], request: FetchRequest) -> None:
    """Raise FetchError if the disk has too little space for downloading, unpacking and keeping the items.

    Archives that are not kept are on the disk at most as many at a time as there are connections.
    """
    archives = sorted((item.file.num_bytes for item in items if item.is_archive), reverse=True)
    at_once = archives if request.keep_archives else archives[: request.num_connections]
    unpacked = sum(int(size * GROWTH) for size in archives)
    plain = sum(item.file.num_bytes for item in items if not item.is_archive)
    names = (item.file.name for item in items)
    stored = [dest / ARCHIVES_FOLDER / f"{name}{suffix}" for name in names for suffix in ("", ".part")]
    there = sum(path.stat().st_size for path in stored if path.is_file())
    if items:
        check_space(dest, max(0, unpacked + plain + sum(at_once) - there), f"the download of {len(items)} files")


def _check_ours(target: Path, item: Item, ledger: Ledger) -> None:
    if not target.exists() or ledger.knows(target):
        return
    if not item.is_archive and target.is_file() and matches(target, item.file):
        return
    raise FetchError(
        f"{target}: lies where {item.file.name} belongs, but was not written by a fetch: move it away,"
        " or leave it out of the request"
    )
