"""Fetch LUNA16 into a folder: several files at a time, each moved into place when complete."""

import os
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from lungpipe.download.archive import unpack_folder, unpack_tables
from lungpipe.download.connection import FetchError, check_url
from lungpipe.download.ledger import Ledger, sole_use
from lungpipe.download.plan import (
    ARCHIVES_FOLDER,
    FetchRequest,
    Item,
    check_disk,
    drop_complete,
    list_items,
)
from lungpipe.download.space import in_gb
from lungpipe.download.transfer import download
from lungpipe.download.watch import Watch


def fetch_luna16(dest: Path, request: FetchRequest, watch: Watch | None = None) -> int:
    """Fetch LUNA16's tables and subsets into `dest`, in LUNA16's layout; return the number of fetched files.

    A second call continues an interrupted one and skips complete files. If one file fails, the others are finished.

    Raises:
        FetchError: records that cannot be read, too little disk space, or files that failed, each with its
            reason.
    """
    dest, watch = Path(dest), watch or Watch()
    check_url(request.source)
    (dest / ARCHIVES_FOLDER).mkdir(parents=True, exist_ok=True)
    with sole_use(dest):
        ledger = Ledger(dest)
        items = drop_complete(list_items(dest, request, watch), ledger, watch)
        check_disk(dest, items, request)
        size = in_gb(sum(item.file.num_bytes for item in items))
        watch.say(f"{len(items)} files to fetch, {size}, {request.num_connections} at a time")
        _fetch_all(items, request, ledger, watch)
    if not any((dest / ARCHIVES_FOLDER).iterdir()):
        (dest / ARCHIVES_FOLDER).rmdir()
    return len(items)


def _fetch_all(items: list[Item], request: FetchRequest, ledger: Ledger, watch: Watch) -> None:
    with ThreadPoolExecutor(request.num_connections, thread_name_prefix="fetch") as pool:
        futures = [pool.submit(_fetch_one, item, request, ledger, watch) for item in items]
        try:
            wait(futures)
        finally:
            # after an interrupt the threads end at their next block; the next call resumes their files
            if not all(future.done() for future in futures):
                watch.stop.set()
    failures = []
    for item, future in zip(items, futures, strict=True):
        error = future.exception()
        if isinstance(error, FetchError | OSError):
            failures.append(str(error) if item.file.name in str(error) else f"{item.file.name}: {error}")
        elif error is not None:
            raise error
    if failures:
        raise FetchError(f"{len(failures)} of {len(items)} files did not come:\n" + "\n".join(failures))


def _fetch_one(item: Item, request: FetchRequest, ledger: Ledger, watch: Watch) -> None:
    path = ledger.dest / ARCHIVES_FOLDER / item.file.name
    download(item.file, path, request.policy, watch)
    if not item.is_archive:
        ledger.add(item.file, {item.file.name: item.file.num_bytes})
        os.replace(path, item.targets[0])
    else:
        watch.say(f"{item.file.name}: unpacking")
        folder = item.targets[0]
        if item.file.name == f"{folder.name}.zip":
            unpack_folder(path, folder, watch, lambda sizes: ledger.add(item.file, _below(folder, sizes)))
        else:
            unpack_tables(path, item.targets, watch, lambda sizes: ledger.add(item.file, sizes))
        if not request.keep_archives:
            path.unlink()
    watch.say(f"{item.file.name}: done")


def _below(folder: Path, sizes: dict[str, int]) -> dict[str, int]:
    return {f"{folder.name}/{name}": size for name, size in sizes.items()}
