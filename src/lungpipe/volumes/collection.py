"""Find the stores of several subsets by their manifests."""

from collections.abc import Iterable
from pathlib import Path

from lungpipe.volumes.manifest import read_manifest


def locate_stores(manifests: Iterable[Path]) -> dict[str, Path]:
    """Return the path of every series' store, sorted by series UID.

    Raises:
        ValueError: a series in two manifests.
    """
    stores: dict[str, Path] = {}
    for manifest in manifests:
        for entry in read_manifest(manifest):
            if entry.series_uid in stores:
                raise ValueError(f"{manifest}: series {entry.series_uid}: expected it in one subset, found it in two")
            stores[entry.series_uid] = manifest.parent / entry.store
    return dict(sorted(stores.items()))
