"""Files that appear whole or not at all."""

import json

import pytest
from full_disk import file_limit, small_disk

from lungpipe.tables import WriteError, replacing, write_bytes, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "table.npz"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".npz"
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["table.npz"]


def test_a_failure_leaves_nothing_behind_and_the_old_file_as_it_was(tmp_path):
    path = tmp_path / "table.parquet"
    write_bytes(path, b"old")

    def fail_half_way():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of the n")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["table.parquet"]


def test_an_interruption_is_a_failure_too(tmp_path):
    def interrupt():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert names(tmp_path) == []


def test_a_writer_that_writes_nothing_fails(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with (
        pytest.raises(WriteError, match=r"a\.txt: expected to write it, found No such file"),
        replacing(tmp_path / "a.txt"),
    ):
        pass
    with pytest.raises(WriteError, match="found an empty file"), replacing(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert (tmp_path / "a.txt").read_text() == "old"


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as one, replacing(path) as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"
    assert names(tmp_path) == ["a.txt"]


def test_json_has_sorted_keys_and_text_is_utf8(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [0.1]})
    write_json(tmp_path / "b.json", {"a": [0.1], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [0.1], "b": 1}
    write_text(tmp_path / "c.txt", "5 ± 1 µm\n")
    assert (tmp_path / "c.txt").read_bytes() == "5 ± 1 µm\n".encode()


@pytest.mark.parametrize("content", [{"auc": float("nan")}, {"auc": object()}])
def test_json_that_no_one_could_read_is_not_written(tmp_path, content):
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", content)
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [write_bytes, lambda path, content: write_text(path, content.decode())])
def test_a_file_that_the_disk_does_not_take_is_named_and_the_old_one_stays(tmp_path, write):
    path = tmp_path / "a.txt"
    write(path, b"old")
    with file_limit(1000), pytest.raises(WriteError, match=r"a\.txt: expected to write it, found File too large"):
        write(path, b"x" * 5000)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_named(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        with pytest.raises(WriteError, match=r"a\.txt: expected to write it, found No space left on device"):
            write_bytes(disk / "deep" / "a.txt", b"x" * 20000)
        assert names(disk / "deep") == []


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(WriteError, match=r"a\.txt: expected to write it, found Is a directory"):
        write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "results").write_text("a note")
    with pytest.raises(WriteError, match=r"a\.txt: expected to write it, found (File exists|Not a directory)"):
        write_text(tmp_path / "results" / "a.txt", "new")


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"input\.csv"), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_bytes((tmp_path / "input.csv").read_bytes())
    assert names(tmp_path) == []
