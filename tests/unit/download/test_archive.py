"""Archives that are kind, archives that are not, and archives that Python cannot read."""

import shutil
import stat
import struct
import zipfile

import numpy as np
import pytest

from lungpipe.download import FetchError
from lungpipe.download.archive import unpack_folder, unpack_tables


@pytest.fixture
def noted():
    return []


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(tmp_path, content, name="subset0.zip"):
    (tmp_path / "archives").mkdir(exist_ok=True)
    path = tmp_path / "archives" / name
    path.write_bytes(content)
    return path


MEMBERS = {"subset0/1.2.mhd": b"header", "subset0/1.2.raw": b"voxels" * 1000}
PLAIN = {"1.2.mhd": MEMBERS["subset0/1.2.mhd"], "1.2.raw": MEMBERS["subset0/1.2.raw"]}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("members", [MEMBERS, PLAIN, {"subset0/": b"", **MEMBERS, "__MACOSX/subset0/._1.2.raw": b"x"}])
def test_a_subset_becomes_its_folder(tmp_path, zipped, watch, noted, members, method):
    path = write(tmp_path, zipped(members, method))
    unpack_folder(path, tmp_path / "subset0", watch, noted.append)
    assert tree(tmp_path / "subset0") == PLAIN
    assert noted == [{"1.2.mhd": 6, "1.2.raw": 6000}]
    assert sorted(p.name for p in (tmp_path / "archives").iterdir()) == ["subset0.zip"]


def test_sizes_are_noted_while_nothing_has_moved_yet(tmp_path, zipped, watch):
    seen = []
    path = write(tmp_path, zipped(MEMBERS))
    unpack_folder(path, tmp_path / "subset0", watch, lambda _: seen.append((tmp_path / "subset0").exists()))
    assert seen == [False]


def test_other_files_in_the_folder_stay(tmp_path, zipped, watch, noted):
    (tmp_path / "subset0").mkdir()
    (tmp_path / "subset0" / "mine.txt").write_text("mine")
    (tmp_path / "subset0" / "1.2.raw").write_text("half")
    unpack_folder(write(tmp_path, zipped(MEMBERS)), tmp_path / "subset0", watch, noted.append)
    assert tree(tmp_path / "subset0") == PLAIN | {"mine.txt": b"mine"}


def unsafe(zipped, name, *, mode=None, flag=0):
    """Return an archive whose second file has this name, kind or flag, written past zipfile's own care."""
    content = zipped({"subset0/1.2.mhd": b"header", "q" * len(name.encode()): b"evil"}, zipfile.ZIP_STORED)
    content = bytearray(content.replace(b"q" * len(name.encode()), name.encode()))
    central = content.rindex(b"PK\1\2")
    if mode is not None:
        struct.pack_into("<I", content, central + 38, mode << 16)
    struct.pack_into("<H", content, central + 8, flag)
    return bytes(content)


UNSAFE = {
    "climbs": ("../evil", {}, "a name that stays inside"),
    "climbs from below": ("subset0/../../evil", {}, "a name that stays inside"),
    "absolute": ("/evil", {}, "a relative name"),
    "drive": ("C:/evil", {}, "a relative name"),
    "backslash": ("..\\evil", {}, "a name without"),
    "control": ("ev\x01il", {}, "a name without"),
    "zero": ("evil\0.raw", {}, "a name without"),
    "empty part": ("subset0//evil", {}, "a name without"),
    "link": ("link", {"mode": stat.S_IFLNK | 0o777}, "a plain file or folder"),
    "device": ("device", {"mode": stat.S_IFCHR | 0o666}, "a plain file or folder"),
    "encrypted": ("evil", {"flag": 1}, "not encrypted"),
    "twice": ("subset0/1.2.MHD", {}, "every name once"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_an_unsafe_archive_is_refused_before_anything_is_written(tmp_path, zipped, watch, noted, case):
    name, options, message = UNSAFE[case]
    root = tmp_path / "inner" / "dest"
    root.mkdir(parents=True)
    path = write(root, unsafe(zipped, name, **options))
    with pytest.raises(FetchError, match=message) as caught:
        unpack_folder(path, root / "subset0", watch, noted.append)
    assert "subset0.zip" in str(caught.value)
    assert list(tree(tmp_path)) == ["inner/dest/archives/subset0.zip"]
    assert noted == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_spoiled_content_leaves_nothing_behind(tmp_path, zipped, watch, noted, method):
    raw = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    content = bytearray(zipped({"subset0/1.2.mhd": b"header", "subset0/1.2.raw": raw}, method))
    content[3000] ^= 0xFF
    with pytest.raises(FetchError, match=r"1\.2\.raw: expected"):
        unpack_folder(write(tmp_path, bytes(content)), tmp_path / "subset0", watch, noted.append)
    assert list(tree(tmp_path)) == ["archives/subset0.zip"]
    assert noted == []


def test_a_file_larger_than_declared_is_cut_off(tmp_path, zipped, watch, noted):
    content = bytearray(zipped({"1.2.raw": b"\0" * 9_000_000}))
    struct.pack_into("<I", content, content.rindex(b"PK\1\2") + 24, 10)
    with pytest.raises(FetchError, match=r"1\.2\.raw: expected"):
        unpack_folder(write(tmp_path, bytes(content)), tmp_path / "subset0", watch, noted.append)
    assert list(tree(tmp_path)) == ["archives/subset0.zip"]


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_no_archive_and_an_empty_one(tmp_path, zipped, watch, noted, content):
    path = write(tmp_path, zipped({}) if content is None else content)
    with pytest.raises(FetchError, match=r"subset0\.zip: expected (a zip archive|files)"):
        unpack_folder(path, tmp_path / "subset0", watch, noted.append)


def test_too_little_space_is_told_with_both_numbers(tmp_path, zipped, watch, noted, monkeypatch):
    path = write(tmp_path, zipped({"1.2.raw": b"\0" * 1_000_000}))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 200_000_000))
    with pytest.raises(FetchError, match=r"unpacked, needs 0\.3 GB .*0\.2 GB are free: 69\.4 MB are missing"):
        unpack_folder(path, tmp_path / "subset0", watch, noted.append)
    assert not (tmp_path / "subset0").exists()


EVALUATION = {
    "evaluationScript/annotations/annotations_excluded.csv": b"excluded",
    "evaluationScript/annotations/seriesuids.csv": b"series",
    "evaluationScript/tool.py": b"import os",
    "__MACOSX/evaluationScript/annotations/._seriesuids.csv": b"x",
}


def test_tables_are_taken_from_wherever_they_lie(tmp_path, zipped, watch, noted):
    path = write(tmp_path, zipped(EVALUATION), "evaluationScript.zip")
    targets = (tmp_path / "annotations_excluded.csv", tmp_path / "seriesuids.csv")
    unpack_tables(path, targets, watch, noted.append)
    path.unlink()
    assert tree(tmp_path) == {"annotations_excluded.csv": b"excluded", "seriesuids.csv": b"series"}
    assert noted == [{"annotations_excluded.csv": 8, "seriesuids.csv": 6}]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.csv": b"x"}, r"expected one seriesuids\.csv, found none"),
        ({"a/seriesuids.csv": b"1", "b/seriesuids.csv": b"2"}, "found a/seriesuids.csv, b/seriesuids.csv"),
    ],
)
def test_missing_and_ambiguous_tables(tmp_path, zipped, watch, noted, members, message):
    path = write(tmp_path, zipped(members), "evaluationScript.zip")
    with pytest.raises(FetchError, match=message):
        unpack_tables(path, (tmp_path / "seriesuids.csv",), watch, noted.append)


def test_the_same_table_twice_is_one(tmp_path, zipped, watch, noted):
    path = write(tmp_path, zipped({"a/seriesuids.csv": b"1", "b/seriesuids.csv": b"1"}), "x.zip")
    unpack_tables(path, (tmp_path / "seriesuids.csv",), watch, noted.append)
    assert (tmp_path / "seriesuids.csv").read_bytes() == b"1"
