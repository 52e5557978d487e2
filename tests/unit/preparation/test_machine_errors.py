"""Errors of the machine end the job by name, and are no failures of scans; what was finished is kept."""

import errno
import os

import pytest
from full_disk import file_limit, small_disk

from lungpipe.datasets.read import read_with
from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import MachineError, WriteError
from lungpipe.volumes.manifest import read_manifest

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))


def run(subset, folder, workers=1):
    files, _ = subset
    return prepare_subset(files, folder, PrepareRequest(SETTINGS, "v1", 0), num_workers=workers, log=[].append)


def counts(result):
    return result.num_kept, result.num_computed, result.num_failed


def test_a_file_that_the_disk_does_not_take_ends_the_job_and_the_next_run_does_all(subset, tmp_path):
    with file_limit(2000), pytest.raises(MachineError, match=r"series 1\.2\.\d: .*File too large") as caught:
        run(subset, tmp_path / "out")
    assert f"{tmp_path / 'out'}" in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []
    assert counts(run(subset, tmp_path / "out")) == (0, 3, 0)


@pytest.mark.parametrize("num_kib", [16, 64, 100])
def test_a_full_disk_ends_the_job_and_finished_scans_stay(subset, tmp_path, num_kib):
    first = run(subset, tmp_path / "plain")
    with small_disk(tmp_path / "disk", num_kib) as disk:
        with pytest.raises((MachineError, WriteError), match="No space left on device"):
            run(subset, disk / "out")
        left = {path.name for path in (disk / "out").glob("*")} if (disk / "out").is_dir() else set()
        assert left <= {f"1.2.{number}.ome.zarr" for number in range(3)}
        os.system(f"mount -o remount,size=8m {disk}")  # noqa: S605 - the space is freed
        second = run(subset, disk / "out")
        assert counts(second) == (len(left), 3 - len(left), 0)
        assert second.entries == first.entries


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), PermissionError(errno.EACCES, "no")])
def test_a_scan_that_the_machine_does_not_give_is_no_bad_scan(subset, tmp_path, monkeypatch, error):
    def fail(reader, path, series_uid):
        if path.name == "1.2.1.mhd":
            raise error
        return read_with(reader, path, series_uid)

    monkeypatch.setattr("lungpipe.preparation.volume.read_with", fail)
    with pytest.raises(MachineError, match=r"series 1\.2\.1: not prepared because of the machine"):
        run(subset, tmp_path / "out", workers=2)
    assert not (tmp_path / "out/manifest.json").exists()
    monkeypatch.undo()
    assert counts(run(subset, tmp_path / "out"))[2] == 0


def test_too_little_memory_is_no_bad_scan(subset, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("lungpipe.preparation.volume.resample", fail)
    with pytest.raises(MachineError, match="MemoryError"):
        run(subset, tmp_path / "out")


@pytest.mark.parametrize("name", ["manifest.json", "failures.parquet"])
def test_a_folder_where_a_table_should_be_is_named(subset, tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(WriteError, match=rf"{name}: expected to write it, found Is a directory"):
        run(subset, tmp_path / "out")
    (tmp_path / "out" / name).rmdir()
    assert counts(run(subset, tmp_path / "out")) == (3, 0, 0)
    assert len(read_manifest(tmp_path / "out/manifest.json")) == 3


def test_a_file_where_a_store_should_be_is_named(subset, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/1.2.1.ome.zarr").write_text("a note")
    with pytest.raises(MachineError, match=r"series 1\.2\.1: .*1\.2\.1\.ome\.zarr"):
        run(subset, tmp_path / "out")
