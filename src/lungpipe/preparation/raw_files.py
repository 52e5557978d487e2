"""Decide whether raw files changed. Size and modification time are compared first; SHA-256 only if they differ."""

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.tables.json_input import parse_json
from lungpipe.volumes.manifest import MANIFEST_FILE, ManifestError, read_manifest

RECORDS_FILE = "raw_files.json"
"""The record of sizes and times. It is not in the manifest, which must not change when a file is touched."""


def hash_scan(scan: ScanFiles) -> str:
    """Return the SHA-256 of the header's bytes followed by the data file's."""
    digest = hashlib.sha256()
    for path in _files(scan):
        with path.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def stat_scan(scan: ScanFiles) -> list[list[int]]:
    """Return size and time (ns) of header and data file; raises OSError with the file's name if one is not a file."""
    stats = [_stat(path) for path in _files(scan)]
    return [[found.st_size, found.st_mtime_ns] for found in stats]


def read_records(folder: Path) -> dict[str, Any]:
    """Load the recorded size, time and SHA-256 of each series' raw files.

    Returns an empty mapping if the record is missing or unreadable; every raw file is then hashed again.
    """
    try:
        content = parse_json((Path(folder) / RECORDS_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_unchanged(scan: ScanFiles, sha256: str, known: Mapping[str, Any]) -> bool:
    """Return whether the raw files still have this SHA-256; False if they cannot be read.

    `known` is the series' record in `raw_files.json`: with equal size and time the files are not read.
    """
    try:
        if known.get("sha256") == sha256 and known.get("stat") == stat_scan(scan):
            return True
        return hash_scan(scan) == sha256
    except OSError:
        return False


def unchanged_files(scans: Sequence[ScanFiles], folder: Path) -> set[Path]:
    """Return the raw files (headers and data) that did not change since the folder's manifest was written.

    Only files whose size or time differs are read. The result is empty without a readable manifest.
    """
    try:
        entries = {entry.series_uid: entry for entry in read_manifest(Path(folder) / MANIFEST_FILE)}
    except (ManifestError, RecursionError):  # the latter: JSON that is nested too deeply
        return set()
    known = read_records(folder)
    same = [
        scan
        for scan in scans
        if scan.series_uid in entries
        and is_unchanged(scan, entries[scan.series_uid].source_sha256, known.get(scan.series_uid, {}))
    ]
    return {path for scan in same for path in _files(scan)}


class _UnreadableError(OSError):
    def __str__(self) -> str:
        return f"{self.filename}: expected a readable file, found {self.strerror}"


def _stat(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except OSError as error:
        raise _UnreadableError(error.errno, error.strerror, str(path)) from None
    # reading a pipe could wait for ever
    if not S_ISREG(found.st_mode):
        raise _UnreadableError(errno.EINVAL, "a folder, a pipe or a device", str(path))
    return found


def _files(scan: ScanFiles) -> tuple[Path, ...]:
    return (scan.header_path,) if scan.header_path == scan.data_path else (scan.header_path, scan.data_path)
