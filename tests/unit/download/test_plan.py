"""What is asked for, what is there already, and whether the disk holds the rest."""

import shutil

import pytest

from lungpipe.download import FetchError, FetchRequest
from lungpipe.download.ledger import Ledger, sole_use
from lungpipe.download.plan import GROWTH, Item, check_disk, drop_complete, list_items
from lungpipe.download.space import RESERVE_BYTES, in_gb
from lungpipe.download.transfer import RemoteFile


def item(dest, name="subset0.zip", size=1000, md5="a" * 32, target="subset0"):
    return Item(RemoteFile(name, "https://example.org", size, md5), (dest / target,))


def test_tables_come_before_the_subsets(server, request_of, tmp_path, watch):
    items = list_items(tmp_path, request_of(7, 2, 2), watch)
    names = [it.file.name for it in items]
    assert names == ["annotations.csv", "candidates_V2.zip", "evaluationScript.zip", "subset2.zip", "subset7.zip"]
    assert [path.name for it in items for path in it.targets] == [
        "annotations.csv",
        "candidates_V2.csv",
        "annotations_excluded.csv",
        "seriesuids.csv",
        "subset2",
        "subset7",
    ]


def test_tables_alone_do_not_ask_for_the_second_record(server, request_of, tmp_path, watch):
    items = list_items(tmp_path, request_of(tables_only=True), watch)
    assert [it.file.name for it in items] == ["annotations.csv", "candidates_V2.zip", "evaluationScript.zip"]
    assert server.asked("4121926") == []


def test_lung_masks_come_between_the_tables_and_the_subsets(request_of, tmp_path, watch):
    items = list_items(tmp_path, request_of(2, lung_masks=True), watch)
    assert [it.file.name for it in items[2:]] == ["evaluationScript.zip", "seg-lungs-LUNA16.zip", "subset2.zip"]
    assert items[3].targets == (tmp_path / "seg-lungs-LUNA16",)


def test_a_record_without_a_subset_is_refused(server, request_of, tmp_path, watch):
    del server.files["4121926"]["subset8.zip"]
    with pytest.raises(FetchError, match=r"expected subset8\.zip, found annotations\.csv, .*subset9\.zip"):
        list_items(tmp_path, request_of(8, 9), watch)


@pytest.mark.parametrize(
    "wrong", [{"subsets": (10,)}, {"subsets": (-1, 3)}, {"subsets": ()}, {"num_connections": 5}, {"num_connections": 0}]
)
def test_impossible_requests_are_refused(wrong):
    with pytest.raises(FetchError, match="expected"):
        FetchRequest(**wrong)


def test_complete_is_what_the_ledger_says_and_the_disk_confirms(tmp_path, watch):
    mine = item(tmp_path)
    (tmp_path / "subset0").mkdir()
    (tmp_path / "subset0" / "a.raw").write_bytes(b"123")
    ledger = Ledger(tmp_path)
    ledger.add(mine.file, {"subset0/a.raw": 3})
    assert drop_complete([mine], Ledger(tmp_path), watch) == []
    assert watch.say == ["subset0.zip: complete"]
    newer = item(tmp_path, md5="b" * 32)
    assert drop_complete([newer], ledger, watch) == [newer]
    (tmp_path / "subset0" / "a.raw").write_bytes(b"12")
    assert drop_complete([mine], ledger, watch) == [mine]
    (tmp_path / "subset0" / "a.raw").unlink()
    assert drop_complete([mine], ledger, watch) == [mine]


def test_a_folder_of_someone_else_is_not_touched(tmp_path, watch):
    (tmp_path / "subset0").mkdir()
    with pytest.raises(FetchError, match=r"subset0: lies where subset0\.zip belongs"):
        drop_complete([item(tmp_path)], Ledger(tmp_path), watch)


def test_a_table_of_someone_else_is_fine_where_it_is_the_same(tmp_path, watch):
    (tmp_path / "annotations.csv").write_bytes(b"hello")
    same = item(tmp_path, "annotations.csv", 5, "5d41402abc4b2a76b9719d911017c592", "annotations.csv")
    assert drop_complete([same], Ledger(tmp_path), watch) == [same]
    (tmp_path / "annotations.csv").write_bytes(b"hallo")
    with pytest.raises(FetchError, match="was not written by a fetch"):
        drop_complete([same], Ledger(tmp_path), watch)


def with_free(monkeypatch, num_bytes):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 0, num_bytes))


@pytest.mark.parametrize("keep", [False, True])
def test_space_for_what_is_unpacked_and_for_the_archives_at_a_time(tmp_path, monkeypatch, keep):
    sizes = [3_000_000, 1_000_000, 2_000_000, 4_000_000]
    items = [item(tmp_path, f"subset{k}.zip", size) for k, size in enumerate(sizes)]
    items.append(item(tmp_path, "annotations.csv", 500))
    archives = 10_000_000 if keep else 4_000_000 + 3_000_000
    needed = int(10_000_000 * GROWTH) + archives + 500 + RESERVE_BYTES
    request = FetchRequest(keep_archives=keep, num_connections=2)
    with_free(monkeypatch, needed)
    check_disk(tmp_path, items, request)
    with_free(monkeypatch, needed - 1)
    with pytest.raises(FetchError, match=rf"needs {in_gb(needed)} of disk space, {in_gb(needed - 1)} are free"):
        check_disk(tmp_path, items, request)


def test_what_came_already_needs_no_space_again(tmp_path, monkeypatch):
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "subset0.zip.part").write_bytes(b"\0" * 400_000)
    needed = int(1_000_000 * GROWTH) + 1_000_000 - 400_000 + RESERVE_BYTES
    with_free(monkeypatch, needed)
    check_disk(tmp_path, [item(tmp_path, size=1_000_000)], FetchRequest())
    with_free(monkeypatch, needed - 1)
    with pytest.raises(FetchError, match="are missing"):
        check_disk(tmp_path, [item(tmp_path, size=1_000_000)], FetchRequest())


def test_nothing_to_fetch_needs_no_space(tmp_path, monkeypatch):
    with_free(monkeypatch, 0)
    check_disk(tmp_path, [], FetchRequest())


def test_sizes_as_people_read_them():
    assert [in_gb(n) for n in (0, 1_500_000, 99_999_999, 100_000_000, 66_500_000_000)] == [
        "0.0 MB",
        "1.5 MB",
        "100.0 MB",
        "0.1 GB",
        "66.5 GB",
    ]


def test_a_spoiled_ledger_is_named(tmp_path):
    (tmp_path / ".fetched.json").write_text("{")
    with pytest.raises(FetchError, match=r"\.fetched\.json: expected JSON"):
        Ledger(tmp_path)


def test_one_download_at_a_time(tmp_path):
    with sole_use(tmp_path), pytest.raises(FetchError, match="found another one at work"), sole_use(tmp_path):
        pass
    with sole_use(tmp_path):
        assert (tmp_path / ".fetching.lock").exists()
