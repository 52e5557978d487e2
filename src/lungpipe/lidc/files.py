"""Read LIDC-IDRI readings from a folder, a zip archive or one XML file."""

import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from lungpipe.lidc.xml import Reading, ReadingError, ReadNodule, parse_reading

MAX_BYTES = 64 * 2**20
"""No reading comes near it (the largest of LIDC-IDRI has 2 MiB); an archive that unpacks to more is refused."""

_SERIES_UID = re.compile(rb"<SeriesInstanceUid>\s*([0-9.]+)\s*</SeriesInstanceUid>")


def read_readings(path: Path, series_uids: Collection[str] | None = None) -> dict[str, Reading]:
    """Return the CT readings by series UID, of the wanted series or of all; readings of chest X-rays are passed over.

    LIDC-IDRI holds some readings several times; what is the same is taken once.

    Raises:
        ReadingError: no readable readings, a malformed one, or two that differ for one series.
    """
    path = Path(path)
    readings: dict[str, Reading] = {}
    num_files = 0
    for source, content in _contents(path):
        num_files += 1
        # the UID stands in the file's first lines: a look at them spares parsing what nobody asked for
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
        for file in sorted(path.rglob("*.xml")):
            yield str(file), _limited(str(file), file.stat().st_size, file.read_bytes)
    elif not path.is_file():
        raise ReadingError(f"{path}: expected a folder, a zip archive or an .xml file, found none")
    elif zipfile.is_zipfile(path):
        yield from _zipped(path)
    else:
        yield str(path), _limited(str(path), path.stat().st_size, path.read_bytes)


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda item: item.filename):
                if PurePosixPath(entry.filename).suffix == ".xml":
                    source = f"{path}/{entry.filename}"
                    # zipfile unpacks no more of an entry than the size that the archive's directory names
                    yield source, _limited(source, entry.file_size, partial(archive.read, entry))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ReadingError(f"{path}: expected a readable zip archive, found {error}") from None


def _limited(source: str, num_bytes: int, read: Callable[[], bytes]) -> bytes:
    if num_bytes > MAX_BYTES:
        raise ReadingError(f"{source}: expected a reading of at most {MAX_BYTES} bytes, found {num_bytes}")
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
