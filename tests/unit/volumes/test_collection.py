"""Stores of several subsets."""

import pytest

from lungpipe.volumes.collection import locate_stores
from lungpipe.volumes.manifest import ManifestError, VolumeEntry, write_manifest


def entry(series_uid):
    place = {"shape_zyx": (2, 3, 4), "spacing_zyx_mm": (1.0, 1.0, 1.0), "origin_zyx_mm": (0.0, 0.0, 0.0)}
    marks = dict.fromkeys(("source_sha256", "parameters", "code", "content_sha256"), "x")
    measured = {"lungs_ml": 1.0, "min_hu": -1000, "max_hu": 400, "files": {}}
    return VolumeEntry(series_uid=series_uid, store=f"{series_uid}.ome.zarr", **place, **marks, **measured)


@pytest.fixture
def manifests(tmp_path):
    paths = [tmp_path / f"subset{subset}" / "manifest.json" for subset in (0, 1)]
    write_manifest(paths[0], [entry("1.9"), entry("1.2")])
    write_manifest(paths[1], [entry("1.5")])
    return paths


def test_stores_lie_beside_their_manifests_and_are_sorted(manifests):
    stores = locate_stores(manifests)
    assert list(stores) == ["1.2", "1.5", "1.9"]
    assert stores["1.5"] == manifests[1].parent / "1.5.ome.zarr"
    assert stores["1.9"] == manifests[0].parent / "1.9.ome.zarr"
    assert locate_stores([]) == {}


def test_a_series_in_two_subsets_is_refused(manifests):
    write_manifest(manifests[1], [entry("1.2")])
    with pytest.raises(
        ValueError, match=r"subset1.manifest\.json: series 1\.2: expected it in one subset, found it in two"
    ):
        locate_stores(manifests)


def test_a_manifest_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"manifest\.json: expected a manifest"):
        locate_stores([tmp_path / "manifest.json"])
