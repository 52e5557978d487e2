"""Read LIDC-IDRI readings from a folder, a zip archive or one XML file."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from lungpipe.datasets.hidden import is_hidden
from lungpipe.lidc.xml import Reading, ReadingError, ReadNodule, parse_reading

MAX_BYTES = 64 * 2**20
"""Largest size of a reading; the largest of LIDC-IDRI has 2 MiB."""
MAX_ARCHIVE_BYTES = 1024 * 2**20
"""Archives within an archive are held in memory; all readings of LIDC-IDRI take less than 100 MiB."""
MAX_DEPTH = 2
"""Archives are opened to this depth (an archive in an archive in an archive)."""

_SERIES_UID = re.compile(rb"<SeriesInstanceUid>\s*([0-9.]+)\s*</SeriesInstanceUid>")


def read_readings(path: Path, series_uids: Collection[str] | None = None) -> dict[str, Reading]:
    """Return the CT readings by series UID, of the wanted series or of all; readings of chest X-rays are skipped.

    LIDC-IDRI has some readings several times; equal readings count once.

    Raises:
        ReadingError: no readable readings, a malformed one, or two that differ for one series.
    """
    path = Path(path)
    readings: dict[str, Reading] = {}
    num_files = 0
    for source, content in _contents(path):
        num_files += 1
        # the UID is in the first lines of a file; unwanted readings are not parsed
        header = _SERIES_UID.search(content, 0, 8192)
        if series_uids is not None and header and header[1].decode() not in series_uids:
            continue
        reading = parse_reading(content, source)
        if reading is None or (series_uids is not None and reading.series_uid not in series_uids):
            continue
        known = readings.setdefault(reading.series_uid, reading)
        if known is not reading and not _is_same(known, reading):
            raise ReadingError(
                f"{source}: series {reading.series_uid}: expected one reading, found another in {known.source}"
            )
    if not num_files:
        raise ReadingError(f"{path}: expected readings (.xml), found none")
    return readings


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if _is_reading(file.relative_to(path).as_posix()) and file.is_file():
                yield str(file), _limited(str(file), file.stat().st_size, file.read_bytes)
    elif not path.is_file():
        raise ReadingError(f"{path}: expected a folder, a zip archive or an .xml file, found none")
    elif zipfile.is_zipfile(path):
        yield from _zipped(path, str(path))
    else:
        yield str(path), _limited(str(path), path.stat().st_size, path.read_bytes)


def _zipped(archive_file: Path | BinaryIO, name: str, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the readings of an archive and of the archives in it, each with its place."""
    try:
        with zipfile.ZipFile(archive_file) as archive:
            for entry in sorted(archive.infolist(), key=lambda item: item.filename):
                source = f"{name}/{entry.filename}"
                # zipfile unpacks no more of an entry than the size that the archive's directory names
                read = partial(archive.read, entry)
                if _is_reading(entry.filename):
                    yield source, _limited(source, entry.file_size, read)
                elif _is_reading(entry.filename, ".zip") and depth < MAX_DEPTH:
                    content = _limited(source, entry.file_size, read, MAX_ARCHIVE_BYTES)
                    yield from _zipped(io.BytesIO(content), source, depth + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ReadingError(f"{name}: expected a readable zip archive, found {error}") from None


def _is_reading(name: str, ending: str = ".xml") -> bool:
    """Return whether a name has the ending (in any case) and is not a hidden file of macOS."""
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[-1].lower().endswith(ending) and not is_hidden(name)


def _limited(source: str, num_bytes: int, read: Callable[[], bytes], limit: int | None = None) -> bytes:
    limit = MAX_BYTES if limit is None else limit
    if num_bytes > limit:
        raise ReadingError(f"{source}: expected a reading of at most {limit} bytes, found {num_bytes}")
    return read()


def _is_same(a: Reading, b: Reading) -> bool:
    same = a.num_readers == b.num_readers and a.points == b.points and len(a.nodules) == len(b.nodules)
    return same and all(_is_same_nodule(x, y) for x, y in zip(a.nodules, b.nodules, strict=True))


def _is_same_nodule(a: ReadNodule, b: ReadNodule) -> bool:
    if (a.reader, a.name, a.ratings, len(a.contours)) != (b.reader, b.name, b.ratings, len(b.contours)):
        return False
    return all(
        (x.z_mm, x.is_inclusion) == (y.z_mm, y.is_inclusion) and np.array_equal(x.edge_yx_vox, y.edge_yx_vox)
        for x, y in zip(a.contours, b.contours, strict=True)
    )
