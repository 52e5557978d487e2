"""Recognise raw files whose content has not changed: by size and time where they match, by SHA-256 where not."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.volumes.manifest import MANIFEST_FILE, ManifestError, read_manifest

SOURCES_FILE = "sources.json"
"""Sizes and times lie beside the manifest, not in it: touching a raw file must not change the manifest's bytes."""
_BLOCK_BYTES = 1 << 20


def hash_source(scan: ScanFiles) -> str:
    """Return the SHA-256 of the header's bytes followed by the data file's."""
    digest = hashlib.sha256()
    for path in _files(scan):
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def stat_source(scan: ScanFiles) -> list[list[int]]:
    """Return size and time (ns) of the header and the data file."""
    stats = [path.stat() for path in _files(scan)]
    return [[stat.st_size, stat.st_mtime_ns] for stat in stats]


def read_sources(folder: Path) -> dict[str, Any]:
    """Return what is known of each series' raw files; empty where the side file is missing or damaged.

    The side file only saves time: without it every raw file is hashed again.
    """
    try:
        content = json.loads((Path(folder) / SOURCES_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_same_source(scan: ScanFiles, sha256: str, known: Mapping[str, Any]) -> bool:
    """Tell whether the raw files still hold the content of that SHA-256; False where they cannot be read.

    `known` is the series' record in `sources.json`: with equal size and time the files are not read.
    """
    try:
        if known.get("sha256") == sha256 and known.get("stat") == stat_source(scan):
            return True
        return hash_source(scan) == sha256
    except OSError:
        return False


def unchanged_sources(scans: Sequence[ScanFiles], folder: Path) -> set[Path]:
    """Return the raw files (headers and data) whose content is what the folder's manifest was made from.

    Looks at sizes and times, and reads only files that these do not vouch for. Empty without a readable manifest.
    """
    try:
        entries = {entry.series_uid: entry for entry in read_manifest(Path(folder) / MANIFEST_FILE)}
    except ManifestError:
        return set()
    known = read_sources(folder)
    same = [
        scan
        for scan in scans
        if scan.series_uid in entries
        and is_same_source(scan, entries[scan.series_uid].source_sha256, known.get(scan.series_uid, {}))
    ]
    return {path for scan in same for path in _files(scan)}


def _files(scan: ScanFiles) -> tuple[Path, ...]:
    return (scan.header_path,) if scan.header_path == scan.data_path else (scan.header_path, scan.data_path)
