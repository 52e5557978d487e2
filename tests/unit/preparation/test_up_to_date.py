"""What of an earlier run holds: rows of the QC table that nothing contradicts, whatever becomes of reference masks."""

import numpy as np
import pytest

from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.preparation.raw_files import unchanged_files
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import QC, read_table, write_table

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))


def run(scans, nodules, folder, row_code="r1", **settings):
    request = PrepareRequest(SETTINGS.model_copy(update=settings), nodules, "v1", 0, row_code)
    result = prepare_subset(scans, folder, request, num_workers=2, log=lambda line: None)
    return result, result.qc.set_index("series_uid")


@pytest.fixture
def marked(subset, tmp_path):
    """A finished subset whose QC table has a volume that nothing measures: whoever judges the scan again loses it."""
    folder = tmp_path / "out"
    run(*subset, folder)
    qc = read_table(folder / "qc.parquet", QC)
    qc.loc[qc["series_uid"] == "1.2.0", "left_lung_ml"] = 0.123
    write_table(qc, folder / "qc.parquet", QC)
    return folder


def test_the_row_tells_the_volume_of_each_lung(subset, tmp_path):
    result, qc = run(*subset, tmp_path / "out")
    assert (qc[["left_lung_ml", "right_lung_ml"]] > 0).all(axis=None)
    assert (qc["left_lung_ml"] + qc["right_lung_ml"]).to_numpy() == pytest.approx(qc["lungs_ml"].to_numpy(), abs=0.01)
    assert result.num_failed == 0


def test_a_mask_that_is_the_whole_volume_has_no_sides(subset, tmp_path):
    _, qc = run(*subset, tmp_path / "out", lung_mask="whole")
    assert qc[["left_lung_ml", "right_lung_ml"]].isna().all(axis=None)
    assert (qc["lungs_ml"] > 0).all()


def test_a_row_holds_while_its_nodules_and_margin_do(subset, marked):
    scans, nodules = subset
    assert run(scans, nodules, marked)[1].loc["1.2.0", "left_lung_ml"] == 0.123
    _, wider = run(scans, nodules, marked, lung_margin_mm=7.0)
    assert wider.loc["1.2.0", "left_lung_ml"] > 0.123


def test_other_code_of_the_rows_makes_them_anew_and_keeps_the_volumes(subset, marked):
    manifest = (marked / "manifest.json").read_bytes()
    result, qc = run(*subset, marked, row_code="r2")
    assert (result.num_kept, result.num_computed) == (3, 0)
    assert qc.loc["1.2.0", "left_lung_ml"] > 0.123
    assert (marked / "manifest.json").read_bytes() == manifest


def test_a_scan_is_read_by_the_reader_of_the_request(subset, tmp_path):
    request = PrepareRequest(SETTINGS, subset[1], "v1", 0, reader="lungpipe.datasets.nifti:read_nifti")
    result = prepare_subset(subset[0], tmp_path / "out", request, num_workers=1, log=lambda line: None)
    assert result.num_failed == 3
    assert result.qc["reason"].str.contains("NIfTI").all()


def test_no_row_and_no_source_knows_of_references(subset, marked, draw, write_reference):
    scans, nodules = subset
    before = {path: path.read_bytes() for path in marked.rglob("*") if path.is_file()}
    files = {path for scan in scans for path in (scan.header_path, scan.data_path)}
    drawn = draw(spacing=(3.0, 3.0, 3.0), scale=0.4, seed=0)
    referenced = [write_reference(scan, np.array([0, 3, 4], dtype=np.uint8)[drawn.lungs], drawn.grid) for scan in scans]
    for _ in range(2):
        assert unchanged_files(referenced, marked) == files
        assert run(referenced, nodules, marked)[0].num_kept == 3
        assert {path: path.read_bytes() for path in marked.rglob("*") if path.is_file()} == before
        referenced[0].reference.data_path.write_bytes(b"no labels")
