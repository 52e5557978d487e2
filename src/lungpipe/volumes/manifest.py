"""The manifest of a subset's volumes: geometry, raw files, parameters, code and checksum of each store."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lungpipe.geometry import Grid
from lungpipe.tables import write_json

MANIFEST_FILE = "manifest.json"
FORMAT = 2
STORE_SUFFIX = ".ome.zarr"


class ManifestError(ValueError):
    """A manifest that cannot be read; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class VolumeEntry:
    """One store: its name in the manifest's folder, grid, raw files, parameters, code, and checksum.

    `remarks` are the reader's: differences between what the reader assumed and what the raw files say.
    """

    series_uid: str
    store: str
    shape_zyx: tuple[int, int, int]
    spacing_zyx_mm: tuple[float, float, float]
    origin_zyx_mm: tuple[float, float, float]
    source_sha256: str
    parameters: str
    code: str
    content_sha256: str
    lungs_ml: float
    min_hu: int
    max_hu: int
    files: dict[str, int]
    remarks: tuple[str, ...] = ()

    @property
    def grid(self) -> Grid:
        """Grid of the stored volume, axis-aligned."""
        return Grid(self.shape_zyx, self.spacing_zyx_mm, self.origin_zyx_mm)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON content."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "VolumeEntry":
        """Build from JSON content; raises TypeError or ValueError for other keys."""
        triples = {key: tuple(value) for key, value in content.items() if key.endswith(("_zyx", "_zyx_mm"))}
        entry = cls(**{**content, **triples, "remarks": tuple(content.get("remarks", ()))})
        if entry.store != Path(entry.store).name or not entry.store.endswith(STORE_SUFFIX):
            raise ValueError(f"store {entry.store!r} is no name of a {STORE_SUFFIX} beside the manifest")
        return entry


def write_manifest(path: Path, entries: Iterable[VolumeEntry]) -> None:
    """Write the manifest, sorted by series, if its bytes differ from those on disk: an equal file is not touched."""
    volumes = [entry.to_json() for entry in sorted(entries, key=lambda entry: entry.series_uid)]
    content = {"format": FORMAT, "sha256": _digest(volumes), "volumes": volumes}
    try:
        is_equal = _load(path) == json.loads(json.dumps(content))
    except ManifestError:
        is_equal = False  # a missing or damaged file is written again
    if not is_equal:
        write_json(path, content)


def read_manifest(path: Path) -> tuple[VolumeEntry, ...]:
    """Return the entries of a manifest, sorted by series.

    Raises:
        ManifestError: a missing or unreadable file, entries of another form, or entries that were edited.
    """
    content = _load(Path(path))
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        if _digest(content["volumes"]) != content["sha256"]:
            raise ValueError("entries that were edited since they were written")
        return tuple(VolumeEntry.from_json(item) for item in content["volumes"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ManifestError(f"{path}: expected a manifest of format {FORMAT}, found {error}") from None


def _digest(volumes: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(volumes, sort_keys=True).encode()).hexdigest()


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: expected a manifest in JSON, found {error}") from None
