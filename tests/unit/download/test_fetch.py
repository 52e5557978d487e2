"""From nothing to a folder in LUNA16's layout, against a real server and all its faults."""

import shutil
import threading
import time

import pytest

from lungpipe.datasets.luna16 import ScanFiles, list_scans
from lungpipe.download import FetchError, Watch, fetch_luna16

TABLES = ["annotations.csv", "annotations_excluded.csv", "candidates_V2.csv", "seriesuids.csv"]


@pytest.fixture
def dest(tmp_path):
    return tmp_path / "new" / "LUNA16"


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def hidden(folder):
    return sorted(path.name for path in folder.rglob(".*"))


def downloads(server):
    return [name for name, _ in server.requests if not name.isdecimal()]


def test_all_of_luna16(server, dest, request_of, watch):
    assert fetch_luna16(dest, request_of(*range(10)), watch) == 13
    assert visible(dest) == [*TABLES, *(f"subset{subset}" for subset in range(10))]
    assert [list_scans(dest, subset)[0].series_uid for subset in range(10)] == [f"1.2.{k}" for k in range(10)]
    assert (dest / "subset3" / "1.2.3.raw").stat().st_size == 40_000
    assert hidden(dest) == [".fetched.json", ".fetching.lock"]
    assert sorted(downloads(server)) == sorted(set(downloads(server)))


def test_lung_masks_become_the_references_of_their_scans(server, dest, request_of, watch):
    assert fetch_luna16(dest, request_of(0, 1), watch) == 5
    server.requests.clear()
    assert fetch_luna16(dest, request_of(0, 1, lung_masks=True), watch) == 1
    assert downloads(server) == ["seg-lungs-LUNA16.zip"]
    masks = dest / "seg-lungs-LUNA16"
    assert visible(masks) == ["1.2.0.mhd", "1.2.0.zraw", "1.2.7.mhd", "1.2.7.zraw"]
    assert list_scans(dest, 0)[0].reference == ScanFiles("1.2.0", masks / "1.2.0.mhd", masks / "1.2.0.zraw")
    assert list_scans(dest, 1)[0].reference is None
    (masks / "1.2.7.zraw").unlink()
    assert fetch_luna16(dest, request_of(tables_only=True, lung_masks=True), watch) == 1


def test_a_second_run_moves_nothing(server, dest, request_of, watch):
    fetch_luna16(dest, request_of(0, 1), watch)
    first = {path: path.stat().st_mtime_ns for path in dest.rglob("*.*") if path.name != ".fetching.lock"}
    server.requests.clear()
    assert fetch_luna16(dest, request_of(0, 1), watch) == 0
    assert downloads(server) == []
    assert {path: path.stat().st_mtime_ns for path in dest.rglob("*.*") if path.name != ".fetching.lock"} == first


def test_a_lost_scan_brings_its_subset_back(server, dest, request_of, watch):
    fetch_luna16(dest, request_of(0, 1), watch)
    (dest / "subset1" / "1.2.1.raw").unlink()
    (dest / "subset1" / "mine.txt").write_text("mine")
    server.requests.clear()
    assert fetch_luna16(dest, request_of(0, 1), watch) == 1
    assert downloads(server) == ["subset1.zip"]
    assert visible(dest / "subset1") == ["1.2.1.mhd", "1.2.1.raw", "mine.txt"]


def test_further_subsets_join_the_first(server, dest, request_of, watch):
    fetch_luna16(dest, request_of(tables_only=True), watch)
    assert visible(dest) == TABLES
    assert fetch_luna16(dest, request_of(9), watch) == 1
    assert visible(dest) == [*TABLES, "subset9"]


def test_kept_archives_are_unpacked_again_without_a_download(server, dest, request_of, watch):
    fetch_luna16(dest, request_of(0, keep_archives=True), watch)
    assert visible(dest / "archives") == ["candidates_V2.zip", "evaluationScript.zip", "subset0.zip"]
    shutil.rmtree(dest / "subset0")
    server.requests.clear()
    fetch_luna16(dest, request_of(0, keep_archives=True), watch)
    assert downloads(server) == []
    assert visible(dest / "subset0") == ["1.2.0.mhd", "1.2.0.raw"]


def test_faults_of_every_kind_in_one_run(server, dest, request_of, watch):
    server.faults = {
        "annotations.csv": [("status", 503), ("status", 429, {"Retry-After": "0", "Content-Length": "0"})],
        "evaluationScript.zip": [("short", 10), ("drop", 5)],
        "subset0.zip": [("drop", 20_000), ("status", 500), ("drop", 11_000)],
        "subset1.zip": [("garble",)],
        "subset2.zip": [("drop", 100), ("other range",)],
        "subset8.zip": [("long",)],
        "3723295": [("drop", 30)],
    }
    fetch_luna16(dest, request_of(0, 1, 2, 8), watch)
    assert visible(dest) == [*TABLES, "subset0", "subset1", "subset2", "subset8"]
    assert all(not faults for faults in server.faults.values())


def test_one_lasting_failure_lets_the_others_finish_and_is_made_good_later(server, dest, request_of, watch):
    server.faults["subset1.zip"] = [("drop", 7_000), *[("status", 503)] * 9]
    with pytest.raises(FetchError, match=r"1 of 6 files did not come:\nsubset1\.zip: the server answered 503"):
        fetch_luna16(dest, request_of(0, 1, 2), watch)
    assert visible(dest) == sorted([*TABLES, "archives", "subset0", "subset2"])
    assert not (dest / "subset1").exists()
    assert visible(dest / "archives") == ["subset1.zip.part"]
    server.faults.clear()
    server.requests.clear()
    assert fetch_luna16(dest, request_of(0, 1, 2), watch) == 1
    assert server.asked("subset1.zip") == ["bytes=7000-"]
    assert visible(dest) == [*TABLES, "subset0", "subset1", "subset2"]


def test_a_checksum_that_never_fits_is_named_and_leaves_nothing(server, dest, request_of, watch):
    server.overrides["subset0.zip"] = {"checksum": "md5:" + "0" * 32}
    with pytest.raises(FetchError, match=r"subset0\.zip: expected MD5 0{32}, found another twice"):
        fetch_luna16(dest, request_of(0), watch)
    assert visible(dest) == sorted([*TABLES, "archives"])
    assert list((dest / "archives").iterdir()) == []


def test_an_unsafe_archive_leaves_nothing_outside(server, dest, request_of, watch, zipped):
    server.files["3723295"]["subset0.zip"] = zipped({"subset0/a.mhd": b"x", "../../evil.mhd": b"x"})
    with pytest.raises(FetchError, match=r"subset0\.zip: expected a name that stays inside"):
        fetch_luna16(dest, request_of(0), watch)
    assert not list(dest.parent.parent.rglob("evil*"))
    assert not (dest / "subset0").exists()


def test_the_disk_is_looked_at_before_anything_is_moved(server, dest, request_of, watch, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(FetchError, match=r"the download of 4 files needs 0\.3 GB of disk space, 0\.0 MB are free"):
        fetch_luna16(dest, request_of(0), watch)
    assert downloads(server) == []


@pytest.mark.parametrize("num_connections", [1, 3, 4])
def test_no_more_connections_than_allowed(server, dest, request_of, watch, num_connections):
    # every answer waits for a moment, so that as many come together as are let
    original = server.enter

    def linger(name, ranged):
        fault = original(name, ranged)
        time.sleep(0.02)
        return fault

    server.enter = linger
    fetch_luna16(dest, request_of(*range(8), num_connections=num_connections), watch)
    assert server.most_at_once == num_connections


def test_an_interrupted_run_stops_soon_and_is_gone_on_with(server, dest, request_of, watch):
    server.faults["subset0.zip"] = [("drop", 5_000)]

    def stop_once(line):
        if "ended after 5000" in line:
            watch.stop.set()

    with pytest.raises(FetchError, match="stopped; the same command goes on from here"):
        fetch_luna16(dest, request_of(0), Watch(say=stop_once, stop=watch.stop))
    assert (dest / "archives" / "subset0.zip.part").stat().st_size == 5_000
    server.requests.clear()
    fetch_luna16(dest, request_of(0))
    assert server.asked("subset0.zip") == ["bytes=5000-"]
    assert visible(dest) == [*TABLES, "subset0"]


def test_two_downloads_into_one_folder_do_not_meet(server, dest, request_of, watch):
    server.gate = threading.Event()
    first = threading.Thread(target=fetch_luna16, args=(dest, request_of(0), watch))
    first.start()
    while not server.requests:
        time.sleep(0.005)
    with pytest.raises(FetchError, match="found another one at work in it"):
        fetch_luna16(dest, request_of(0), watch)
    server.gate.set()
    first.join()
    assert visible(dest) == [*TABLES, "subset0"]


def test_plain_http_elsewhere_is_refused_before_a_folder_is_made(dest, request_of, watch):
    with pytest.raises(FetchError, match="expected an https address, found http"):
        fetch_luna16(dest, request_of(0, source="http://zenodo.org/api/records"), watch)
    assert not dest.exists()
