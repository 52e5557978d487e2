import hashlib
import os

import pytest

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.preparation.raw_files import hash_scan, is_unchanged, read_records, stat_scan


@pytest.fixture
def scan(tmp_path):
    (tmp_path / "a.mhd").write_bytes(b"header")
    (tmp_path / "a.raw").write_bytes(b"voxels" * 400_000)
    return ScanFiles("a", tmp_path / "a.mhd", tmp_path / "a.raw")


def test_hash_covers_header_and_data(scan):
    expected = hashlib.sha256(b"header" + b"voxels" * 400_000).hexdigest()
    assert hash_scan(scan) == expected
    scan.header_path.write_bytes(b"Header")
    assert hash_scan(scan) != expected


def test_one_file_is_hashed_once(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"both")
    scan = ScanFiles("a", tmp_path / "a.mha", tmp_path / "a.mha")
    assert hash_scan(scan) == hashlib.sha256(b"both").hexdigest()
    assert len(stat_scan(scan)) == 1


def test_equal_size_and_time_are_trusted_without_reading(scan):
    known = {"sha256": "whatever", "stat": stat_scan(scan)}
    assert is_unchanged(scan, "whatever", known)
    assert not is_unchanged(scan, "another", known)


def test_another_time_is_looked_into(scan):
    known = {"sha256": hash_scan(scan), "stat": stat_scan(scan)}
    os.utime(scan.data_path, ns=(1, 1))
    assert is_unchanged(scan, known["sha256"], known)
    scan.data_path.write_bytes(b"Voxels" * 400_000)
    assert not is_unchanged(scan, known["sha256"], known)


def test_missing_files_are_not_the_same(scan):
    known = {"sha256": hash_scan(scan), "stat": stat_scan(scan)}
    scan.data_path.unlink()
    assert not is_unchanged(scan, known["sha256"], known)


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_damaged_side_file_knows_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "raw_files.json").write_text(content)
    assert read_records(tmp_path) == {}
