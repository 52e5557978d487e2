"""A scan that cannot be prepared is a row with its reason; the others finish, and it comes back when it is mended."""

import numpy as np
import pandas as pd

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.read import read_with
from lungpipe.geometry import Grid
from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import FAILURES, read_table

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))


def run(subset, folder, log=None, workers=2):
    say = (lambda line: None) if log is None else log.append
    return prepare_subset(subset[0], folder, PrepareRequest(SETTINGS, "v1", 0), num_workers=workers, log=say)


def counts(result):
    return result.num_kept, result.num_computed, result.num_failed, result.num_removed


def test_bad_scan_is_a_row_and_the_others_finish(subset, tmp_path):
    scan = subset[0][1]
    scan.data_path.write_bytes(scan.data_path.read_bytes()[:-100])
    log = []
    result = run(subset, tmp_path / "out", log=log)
    assert counts(result) == (0, 2, 1, 0)
    assert result.failures["series_uid"].tolist() == ["1.2.1"]
    assert "bytes of voxels" in result.failures["reason"][0]
    pd.testing.assert_frame_equal(read_table(tmp_path / "out/failures.parquet", FAILURES), result.failures)
    assert [entry.series_uid for entry in result.entries] == ["1.2.0", "1.2.2"]
    assert any("1.2.1: failed" in line for line in log)


def test_scan_that_turns_bad_loses_its_store_and_comes_back(subset, tmp_path):
    first = run(subset, tmp_path / "out")
    scan = subset[0][0]
    content = scan.data_path.read_bytes()
    scan.data_path.unlink()
    second = run(subset, tmp_path / "out")
    assert counts(second) == (2, 0, 1, 1)
    assert not (tmp_path / "out/1.2.0.ome.zarr").exists()
    scan.data_path.write_bytes(content)
    assert run(subset, tmp_path / "out").entries == first.entries


def test_scan_that_changes_while_it_is_read_is_a_row(subset, tmp_path, monkeypatch):
    scan = subset[0][1]

    def read_and_edit(reader, path, series_uid):
        found = read_with(reader, path, series_uid)
        if path == scan.header_path:
            scan.data_path.write_bytes(b"\0" + scan.data_path.read_bytes()[1:])
        return found

    monkeypatch.setattr("lungpipe.preparation.volume.read_with", read_and_edit)
    result = run(subset, tmp_path / "out", workers=1)
    assert counts(result) == (0, 2, 1, 0)
    assert f"{scan.header_path}: expected a scan that stays as it is" in result.failures["reason"][0]
    monkeypatch.undo()
    assert counts(run(subset, tmp_path / "out")) == (2, 1, 0, 0)


def test_scan_without_lungs_is_a_row(subset, tmp_path, write_scan):
    files, nodules = subset
    grid = Grid((30, 40, 40), (3.0, 3.0, 3.0))
    solid = np.full(grid.shape_zyx, 40, np.int16)
    solid[:, :6] = -1000
    files = [*files, write_scan(files[0].header_path.parent, "1.2.9", solid, grid)]
    result = run((files, nodules), tmp_path / "out")
    assert counts(result) == (0, 3, 1, 0)
    assert "1.2.9.mhd: expected a chest with lungs" in result.failures["reason"][0]
    assert not list((tmp_path / "out").glob("*1.2.9*"))


def test_scan_that_needs_more_memory_than_a_worker_has_is_a_row_and_is_not_read(subset, tmp_path):
    files, nodules = subset
    folder = files[0].header_path.parent
    sizes = "DimSize = 512 512 512\nElementSpacing = 4 4 4\n"
    large = ScanFiles("1.2.8", folder / "1.2.8.mhd", folder / "1.2.8.raw")
    large.header_path.write_text(f"NDims = 3\n{sizes}ElementType = MET_SHORT\nElementDataFile = 1.2.8.raw\n")
    with large.data_path.open("wb") as stream:
        stream.truncate(2 * 512**3)
    result = run(([*files, large], nodules), tmp_path / "out")
    assert counts(result) == (0, 3, 1, 0)
    row = result.failures.set_index("series_uid").loc["1.2.8"]
    assert "expected a scan that is prepared in 4.00 GiB (preprocessing.worker_memory_gib" in row["reason"]
    # a reader would have found that every slice is 0
    assert "become 1023 x 1023 x 1023 voxels of 2 x 2 x 2 mm" in row["reason"]
