"""A subset: what is up to date is kept, what is bad becomes a row, what was killed leaves nothing half-written."""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.preparation.raw_files import hash_scan, unchanged_files
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import FAILURES, read_table
from lungpipe.volumes.manifest import read_manifest
from lungpipe.volumes.store import open_volume

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))


def run(subset, folder, code="v1", log=None, settings=SETTINGS, workers=2):
    files, _ = subset
    request = PrepareRequest(settings, code, 0)
    return prepare_subset(files, folder, request, num_workers=workers, log=([] if log is None else log).append)


def counts(result):
    return result.num_kept, result.num_computed, result.num_failed, result.num_removed


def touch(path):
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def edit(scan):
    content = bytearray(scan.data_path.read_bytes())
    content[0] ^= 1
    scan.data_path.write_bytes(content)
    touch(scan.data_path)


def test_first_run_writes_stores_manifest_and_failures(subset, tmp_path):
    log = []
    result = run(subset, tmp_path / "out", log=log)
    assert counts(result) == (0, 3, 0, 0)
    assert [e.series_uid for e in read_manifest(tmp_path / "out/manifest.json")] == ["1.2.0", "1.2.1", "1.2.2"]
    assert read_manifest(tmp_path / "out/manifest.json") == result.entries
    assert len(read_table(tmp_path / "out/failures.parquet", FAILURES)) == 0
    assert any("0 kept" in line and "3 computed" in line for line in log)


def test_every_computed_scan_is_told_once_as_it_is_done(subset, tmp_path):
    files, _ = subset
    request, done = PrepareRequest(SETTINGS, "v1", 0), []
    for _ in range(2):
        prepare_subset(files, tmp_path / "out", request, num_workers=2, log=[].append, on_done=done.append)
    assert sorted(line.split(":")[0] for line in done) == ["1.2.0", "1.2.1", "1.2.2"]


def test_entry_tells_what_the_store_holds(subset, tmp_path):
    result = run(subset, tmp_path / "out")
    for entry, scan in zip(result.entries, subset[0], strict=True):
        volume = open_volume(tmp_path / "out" / entry.store)
        assert volume.grid == entry.grid
        assert volume.grid.spacing_zyx_mm == (2.0, 2.0, 2.0)
        hu, lungs = volume.read_hu(), volume.read_lungs()
        content = repr(volume.grid).encode() + hu.tobytes() + lungs.tobytes()
        assert entry.content_sha256 == hashlib.sha256(content).hexdigest()
        assert entry.source_sha256 == hash_scan(scan)
        assert (entry.min_hu, entry.max_hu) == (hu.min(), hu.max())
        assert entry.lungs_ml == pytest.approx((lungs > 0).sum() * 8 / 1000)
        assert set(np.unique(lungs)) == {0, 1, 2}


def test_second_run_computes_nothing_and_leaves_the_bytes(subset, tmp_path):
    first = run(subset, tmp_path / "out")
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    second = run(subset, tmp_path / "out")
    assert counts(second) == (3, 0, 0, 0)
    assert second.entries == first.entries
    assert second.failures.equals(first.failures)
    for path, (content, changed) in before.items():
        assert path.read_bytes() == content
        if path.suffix != ".parquet":
            assert path.stat().st_mtime_ns == changed


def test_touched_files_compute_nothing(subset, tmp_path):
    run(subset, tmp_path / "out")
    manifest = (tmp_path / "out/manifest.json").read_bytes()
    for scan in subset[0]:
        touch(scan.header_path)
        touch(scan.data_path)
    assert len(unchanged_files(subset[0], tmp_path / "out")) == 6
    assert counts(run(subset, tmp_path / "out")) == (3, 0, 0, 0)
    assert (tmp_path / "out/manifest.json").read_bytes() == manifest


def test_one_edited_scan_is_computed_alone(subset, tmp_path):
    first = run(subset, tmp_path / "out")
    edit(subset[0][1])
    assert unchanged_files(subset[0], tmp_path / "out") == {
        path for scan in (subset[0][0], subset[0][2]) for path in (scan.header_path, scan.data_path)
    }
    second = run(subset, tmp_path / "out")
    assert counts(second) == (2, 1, 0, 0)
    assert [a == b for a, b in zip(first.entries, second.entries, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "computed"),
    [
        ({"code": "v2"}, 3),
        ({"settings": SETTINGS.model_copy(update={"spacing_zyx_mm": (2.5, 2.0, 2.0)})}, 3),
        ({"settings": SETTINGS.model_copy(update={"lung_threshold_hu": -400})}, 3),
        ({"settings": SETTINGS.model_copy(update={"lung_mask": "whole"})}, 3),
        ({"settings": SETTINGS.model_copy(update={"lung_margin_mm": 1.0})}, 0),
        ({"settings": SETTINGS.model_copy(update={"is_failure_fatal": False})}, 0),
        ({"settings": SETTINGS.model_copy(update={"worker_memory_gib": 0.1})}, 0),
        ({"workers": 1}, 0),
    ],
    ids=["code", "spacing", "threshold", "mask", "margin", "fatal", "memory", "workers"],
)
def test_what_changes_a_volume_computes_it_again(subset, tmp_path, change, computed):
    run(subset, tmp_path / "out")
    assert run(subset, tmp_path / "out", **change).num_computed == computed


def test_whole_mask_labels_every_voxel(subset, tmp_path):
    result = run(subset, tmp_path / "out", settings=SETTINGS.model_copy(update={"lung_mask": "whole"}))
    assert (open_volume(tmp_path / "out" / result.entries[0].store).read_lungs() == 1).all()


def test_the_lungs_of_a_whole_scan_beside_crops_are_found(subset, tmp_path):
    files, _ = subset
    whole = SETTINGS.model_copy(update={"lung_mask": "whole"})
    request = PrepareRequest(whole, "v1", 0, whole_scans=frozenset({"1.2.1"}))
    result = prepare_subset(files, tmp_path / "out", request, num_workers=1, log=[].append)
    assert [bool(open_volume(tmp_path / "out" / entry.store).read_lungs().all()) for entry in result.entries] == [
        True,
        False,
        True,
    ]
    alone = run(subset, tmp_path / "alone")
    assert alone.entries[1].content_sha256 == result.entries[1].content_sha256
    # a scan that becomes a whole scan is prepared again, the others are kept
    assert counts(run(subset, tmp_path / "out", settings=whole)) == (2, 1, 0, 0)


@pytest.mark.parametrize("damage", ["missing", "truncated", "gone"])
def test_damaged_store_is_computed_again(subset, tmp_path, damage):
    first = run(subset, tmp_path / "out")
    store = tmp_path / "out" / first.entries[2].store
    if damage == "gone":
        shutil.rmtree(store)
    elif damage == "missing":
        (store / "0/c/0/0/0").unlink()
    else:
        (store / "0/c/0/0/0").write_bytes(b"\0")
    second = run(subset, tmp_path / "out")
    assert counts(second) == (2, 1, 0, 0)
    assert second.entries == first.entries


def test_lost_records_are_restored_without_computing(subset, tmp_path):
    first = run(subset, tmp_path / "out")
    content = (tmp_path / "out/manifest.json").read_bytes()
    for name in ("manifest.json", "raw_files.json", "failures.parquet"):
        (tmp_path / "out" / name).unlink()
    second = run(subset, tmp_path / "out")
    assert counts(second) == (3, 0, 0, 0)
    assert second.failures.equals(first.failures)
    assert (tmp_path / "out/manifest.json").read_bytes() == content


def test_store_of_a_series_that_left_is_removed(subset, tmp_path):
    run(subset, tmp_path / "out")
    (tmp_path / "out/.1.2.9.ome.zarr.77-0123abcd").mkdir()
    result = run((subset[0][:2], subset[1]), tmp_path / "out")
    assert counts(result) == (2, 0, 0, 1)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["1.2.0.ome.zarr", "1.2.1.ome.zarr", "failures.parquet", "manifest.json", "raw_files.json"]


def test_series_twice_is_refused(subset, tmp_path):
    with pytest.raises(ValueError, match=r"expected every series once, found 1\.2\.0 twice"):
        run(([*subset[0], subset[0][0]], subset[1]), tmp_path / "out")


def test_empty_subset_gives_empty_tables(subset, tmp_path):
    result = run(([], subset[1]), tmp_path / "out")
    assert counts(result) == (0, 0, 0, 0)
    assert read_manifest(tmp_path / "out/manifest.json") == ()
    assert len(read_table(tmp_path / "out/failures.parquet", FAILURES)) == 0


def test_number_of_workers_does_not_change_the_manifest(subset, tmp_path):
    for workers in (1, 3):
        run(subset, tmp_path / str(workers), workers=workers)
    assert (tmp_path / "1/manifest.json").read_bytes() == (tmp_path / "3/manifest.json").read_bytes()


@pytest.mark.parametrize("content", [None, "{", "[" * 100_000])
def test_nothing_is_known_without_a_readable_manifest(subset, tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    assert unchanged_files(subset[0], tmp_path) == set()


def test_manifest_names_no_place_and_no_time(subset, tmp_path):
    run(subset, tmp_path / "out")
    text = (tmp_path / "out/manifest.json").read_text()
    assert str(tmp_path) not in text
    assert "mtime" not in text


_RUN = """
import pickle, sys
from lungpipe.preparation.prepare import prepare_subset
files, folder, request = pickle.loads(open(sys.argv[1], "rb").read())
prepare_subset(files, folder, request, num_workers=1, log=lambda line: None)
"""


def test_killed_run_leaves_nothing_half_written(subset, tmp_path):
    out = tmp_path / "out"
    request = tmp_path / "request.pickle"
    request.write_bytes(pickle.dumps((subset[0], out, PrepareRequest(SETTINGS, "v1", 0))))
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(request)])
    deadline = time.monotonic() + 30
    while not list(out.glob("1.2.*.ome.zarr")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()
    finished = [open_volume(path) for path in out.glob("1.2.*.ome.zarr")]
    assert finished
    for volume in finished:
        volume.read_hu()
    assert not (out / "manifest.json").exists()
    result = run(subset, out)
    assert result.num_kept >= len(finished)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    fresh = run(subset, tmp_path / "fresh")
    assert result.entries == fresh.entries


@pytest.mark.slow
def test_cluster_gives_the_same_manifest(subset, tmp_path):
    from distributed import LocalCluster

    run(subset, tmp_path / "threads")
    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None) as cluster:
        where = {"scheduler_address": cluster.scheduler_address, "worker_memory_gib": 2.0}
        settings = SETTINGS.model_copy(update=where)
        result = run(subset, tmp_path / "cluster", settings=settings)
    assert result.num_computed == 3
    assert (tmp_path / "cluster/manifest.json").read_bytes() == (tmp_path / "threads/manifest.json").read_bytes()
