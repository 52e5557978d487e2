import numpy as np
import pandas as pd
import pytest

from lungpipe.geometry import Grid
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.preparation.qc import QcRequest, check_volumes, count_nodules, failed_row, near_lungs, qc_row
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import FAILURES, QC
from lungpipe.volumes.store import VolumeError

GRID = Grid((20, 30, 40), (2.0, 1.0, 1.5), (-10.0, 5.0, 100.0))
LUNGS = np.zeros(GRID.shape_zyx, np.uint8)
LUNGS[8:12, 10:20, 10:20] = 1


def read(window):
    return window.cut(LUNGS, 0)


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0, 9.0])
def test_near_the_lungs_is_inside_the_dilated_mask(margin):
    dilated = dilate_mm(LUNGS, GRID.spacing_zyx_mm, margin)
    rng = np.random.default_rng(1)
    for index in rng.integers(0, GRID.shape_zyx, (60, 3)):
        assert near_lungs(GRID.to_world(index), GRID, read, margin) == dilated[tuple(index)]


def test_counts_by_hand():
    centers = GRID.to_world([(9, 15, 15), (9, 23, 15), (0, 0, 0), (-1, 15, 15), (9, 15, 41)])
    counts = count_nodules(centers, GRID, read, 5.0)
    assert counts == {"num_nodules": 5, "num_nodules_outside_volume": 2, "num_nodules_outside_lungs": 3}
    assert count_nodules(np.empty((0, 3)), GRID, read, 5.0)["num_nodules"] == 0


def test_rows_keep_the_contract():
    good = qc_row("1.2", 3, "1.2.mhd", count_nodules(np.empty((0, 3)), GRID, read, 5.0))
    bad = failed_row("1.3", 3, "1.3.mhd", num_nodules=2, reason="no voxels")
    table = QC.conform(pd.DataFrame([good, bad]))
    assert table["is_ok"].tolist() == [True, False]
    assert table["num_nodules_outside_lungs"].tolist() == [0, 2]
    assert table["reason"].tolist() == ["", "no voxels"]


@pytest.fixture
def check(subset, tmp_path):
    """Prepare the subset, one scan of which may be damaged; return a function that checks it, by series."""
    scans, nodules = subset
    folder = tmp_path / "out"

    def prepare_and_check(*, is_damaged=False, settings=None, **changes):
        if is_damaged:
            scans[1].data_path.write_bytes(scans[1].data_path.read_bytes()[:-100])
        settings = {"spacing_zyx_mm": (2.0, 2.0, 2.0), **(settings or {})}
        request = PrepareRequest(PreprocessingSettings(**settings), "v1", 0)
        failures = prepare_subset(scans, folder, request, num_workers=2, log=lambda line: None).failures
        asked = {"subset": 0, "nodules": nodules, "margin_mm": 5.0, "is_whole": False, **changes}
        table = check_volumes(scans[::-1], folder, failures, QcRequest(**asked), threads=2)
        assert QC.conform(table).equals(table)
        return table.set_index("series_uid")

    return prepare_and_check


def test_rows_of_good_volumes(check):
    qc = check()
    assert qc.index.tolist() == ["1.2.0", "1.2.1", "1.2.2"]
    assert qc["is_ok"].all()
    assert qc["source"].tolist() == ["1.2.0.mhd", "1.2.1.mhd", "1.2.2.mhd"]
    assert qc["num_nodules"].tolist() == [1, 1, 1]
    assert qc["num_nodules_outside_lungs"].tolist() == [0, 0, 0]
    assert (qc[["left_lung_ml", "right_lung_ml"]] > 0).all(axis=None)
    assert (qc["left_lung_ml"] + qc["right_lung_ml"]).to_numpy() == pytest.approx(qc["lungs_ml"].to_numpy(), abs=0.01)
    assert (qc["min_hu"] < qc["max_hu"]).all()


def test_a_scan_that_failed_has_lost_its_nodules(check):
    qc = check(is_damaged=True)
    assert qc["is_ok"].to_dict() == {"1.2.0": True, "1.2.1": False, "1.2.2": True}
    row = qc.loc["1.2.1"]
    assert "bytes of voxels" in row["reason"]
    assert row["source"] == "1.2.1.mhd"
    assert (row["num_nodules"], row["num_nodules_outside_volume"], row["num_nodules_outside_lungs"]) == (1, 1, 1)
    assert np.isnan(row["lungs_ml"])


def test_a_mask_that_is_the_whole_volume_has_no_sides(check):
    qc = check(settings={"lung_mask": "whole"}, is_whole=True)
    assert qc[["left_lung_ml", "right_lung_ml"]].isna().all(axis=None)
    assert (qc["lungs_ml"] > 0).all()
    qc = check(settings={"lung_mask": "whole"}, is_whole=True, whole_scans=frozenset({"1.2.1"}))
    assert qc["left_lung_ml"].notna().tolist() == [False, True, False]


def test_nodules_count_where_they_are_annotated(check, subset):
    moved = subset[1].copy()
    moved.loc[0, "center_x_mm"] = 500.0
    moved.loc[1, ["center_x_mm", "center_y_mm"]] = [0.0, 30.0]
    qc = check(nodules=moved)
    assert qc["num_nodules_outside_volume"].tolist() == [1, 0, 0]
    assert qc["num_nodules_outside_lungs"].tolist() == [1, 1, 0]
    assert check(nodules=moved, margin_mm=200.0)["num_nodules_outside_lungs"].tolist() == [1, 0, 0]


def test_a_scan_without_a_volume_and_without_a_reason_is_refused(subset, tmp_path, check):
    check(is_damaged=True)
    request = QcRequest(0, subset[1], 5.0, is_whole=False)
    with pytest.raises(ValueError, match=r"series 1\.2\.1: expected a volume or a failure, found neither"):
        check_volumes(subset[0], tmp_path / "out", FAILURES.empty(), request)
    for uid, found in (("1.2.0", "one that has a volume"), ("9.9", "one of another subset")):
        failures = FAILURES.conform(pd.DataFrame({"series_uid": ["1.2.1", uid], "reason": "no voxels"}))
        expected = rf"series {uid}: expected failures of the subset's scans, found {found}"
        with pytest.raises(ValueError, match=expected):
            check_volumes(subset[0], tmp_path / "out", failures, request)


def test_labels_that_cannot_be_read_end_the_check(check, tmp_path):
    check()
    labels = tmp_path / "out/1.2.0.ome.zarr/labels/lungs/0/c/0/0/0"
    labels.write_bytes(b"\xff" * labels.stat().st_size)
    with pytest.raises(VolumeError, match=r"1\.2\.0\.ome\.zarr"):
        check()
