import hashlib
import os
from dataclasses import replace

import pytest

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.volumes.sources import hash_source, is_same_source, read_sources, record_reference, stat_source


@pytest.fixture
def scan(tmp_path):
    (tmp_path / "a.mhd").write_bytes(b"header")
    (tmp_path / "a.raw").write_bytes(b"voxels" * 400_000)
    return ScanFiles("a", tmp_path / "a.mhd", tmp_path / "a.raw")


def test_hash_covers_header_and_data(scan):
    expected = hashlib.sha256(b"header" + b"voxels" * 400_000).hexdigest()
    assert hash_source(scan) == expected
    scan.header_path.write_bytes(b"Header")
    assert hash_source(scan) != expected


def test_one_file_is_hashed_once(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"both")
    scan = ScanFiles("a", tmp_path / "a.mha", tmp_path / "a.mha")
    assert hash_source(scan) == hashlib.sha256(b"both").hexdigest()
    assert len(stat_source(scan)) == 1


def test_equal_size_and_time_are_trusted_without_reading(scan):
    known = {"sha256": "whatever", "stat": stat_source(scan)}
    assert is_same_source(scan, "whatever", known)
    assert not is_same_source(scan, "another", known)


def test_another_time_is_looked_into(scan):
    known = {"sha256": hash_source(scan), "stat": stat_source(scan)}
    os.utime(scan.data_path, ns=(1, 1))
    assert is_same_source(scan, known["sha256"], known)
    scan.data_path.write_bytes(b"Voxels" * 400_000)
    assert not is_same_source(scan, known["sha256"], known)


def test_missing_files_are_not_the_same(scan):
    known = {"sha256": hash_source(scan), "stat": stat_source(scan)}
    scan.data_path.unlink()
    assert not is_same_source(scan, known["sha256"], known)


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_damaged_side_file_knows_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "sources.json").write_text(content)
    assert read_sources(tmp_path) == {}


@pytest.fixture
def referenced(scan, tmp_path):
    (tmp_path / "lungs.mhd").write_bytes(b"labels")
    (tmp_path / "lungs.zraw").write_bytes(b"packed")
    return replace(scan, reference=ScanFiles("a", tmp_path / "lungs.mhd", tmp_path / "lungs.zraw"))


def test_a_reference_is_recorded_by_its_content(scan, referenced):
    assert record_reference(scan, {}) == {}
    record = record_reference(referenced, {})
    assert record == {"stat": stat_source(referenced.reference), "sha256": hashlib.sha256(b"labelspacked").hexdigest()}
    referenced.reference.data_path.write_bytes(b"Packed")
    assert record_reference(referenced, record)["sha256"] == hashlib.sha256(b"labelsPacked").hexdigest()


def test_a_known_reference_is_trusted_without_reading(referenced):
    stat = stat_source(referenced.reference)
    assert record_reference(referenced, {"stat": stat, "sha256": "whatever"})["sha256"] == "whatever"
    assert record_reference(referenced, {"stat": [[0, 0]], "sha256": "whatever"})["sha256"] != "whatever"
    assert "sha256" in record_reference(referenced, {"stat": stat})


def test_a_reference_that_cannot_be_read_is_recorded_as_such(referenced):
    referenced.reference.data_path.unlink()
    assert record_reference(referenced, {}) == {"error": "No such file or directory"}
