import hashlib
import json

import pytest

from lungpipe.volumes.manifest import ManifestError, VolumeEntry, read_manifest, write_manifest


def entry(uid="1.2", **changes):
    content = {
        "series_uid": uid,
        "store": f"{uid}.ome.zarr",
        "shape_zyx": (3, 4, 5),
        "spacing_zyx_mm": (1.0, 1.0, 1.0),
        "origin_zyx_mm": (-1.5, 2.0, 1 / 3),
        "source_sha256": "s",
        "parameters": "p",
        "code": "c",
        "content_sha256": "h",
        "lungs_ml": 12.5,
        "min_hu": -1024,
        "max_hu": 900,
        "files": {"zarr.json": 10},
    }
    return VolumeEntry(**{**content, **changes})


def test_entries_come_back_sorted_and_exact(tmp_path):
    path = tmp_path / "manifest.json"
    write_manifest(path, [entry("1.3"), entry("1.2")])
    assert read_manifest(path) == (entry("1.2"), entry("1.3"))
    assert read_manifest(path)[0].grid.origin_zyx_mm == (-1.5, 2.0, 1 / 3)


def sealed(volumes, number=2):
    digest = hashlib.sha256(json.dumps(volumes, sort_keys=True).encode()).hexdigest()
    return json.dumps({"format": number, "sha256": digest, "volumes": volumes})


def test_the_digest_is_that_of_the_entries(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(sealed([entry().to_json()]))
    assert read_manifest(path) == (entry(),)


def test_equal_content_leaves_the_file_alone(tmp_path):
    path = tmp_path / "manifest.json"
    write_manifest(path, [entry("1.2"), entry("1.3")])
    before = path.stat()
    write_manifest(path, [entry("1.3"), entry("1.2")])
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino
    write_manifest(path, [entry("1.2", max_hu=901), entry("1.3")])
    assert read_manifest(path)[0].max_hu == 901


def test_damaged_manifest_is_written_anew(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text("{")
    write_manifest(path, [entry()])
    assert read_manifest(path) == (entry(),)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        sealed([], number=1),
        sealed([{"series_uid": "1.2"}]),
        sealed([{**entry().to_json(), "more": 1}]),
        sealed([{**entry().to_json(), "store": "../1.2.ome.zarr"}]),
        sealed([{**entry().to_json(), "store": "/1.2.ome.zarr"}]),
        sealed([entry().to_json()]).replace('"max_hu": ', '"max_hu": 1'),
        json.dumps({"format": 2, "volumes": []}),
    ],
)
def test_other_content_is_refused_and_named(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ManifestError, match=r"manifest\.json: expected a manifest"):
        read_manifest(path)


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"manifest\.json: expected a manifest in JSON, found"):
        read_manifest(tmp_path / "manifest.json")
