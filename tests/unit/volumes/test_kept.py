"""What of an earlier run holds when reference lung masks come, change, break and go."""

import os
from dataclasses import replace

import numpy as np
import pytest

from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import QC, read_table, write_table
from lungpipe.volumes.prepare import PrepareRequest, prepare_subset, unchanged_sources

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))
COMPARED = ["lungs_dice", "left_lung_dice", "right_lung_dice", "reference_lungs_ml"]


@pytest.fixture
def referenced(subset, draw, write_reference):
    """The three scans of `subset`, each with its drawn lungs as the reference."""
    files, nodules = subset
    scans = []
    for seed, scan in enumerate(files):
        drawn = draw(spacing=(3.0, 3.0, 3.0), scale=0.4, seed=seed)
        scans.append(write_reference(scan, np.array([0, 3, 4], dtype=np.uint8)[drawn.lungs], drawn.grid))
    return scans, nodules


def run(scans, nodules, folder, log=None):
    request = PrepareRequest(SETTINGS, nodules, "v1", 0)
    result = prepare_subset(scans, folder, request, num_workers=2, log=([] if log is None else log).append)
    return result, result.qc.set_index("series_uid")


def touch(path, seconds=1):
    later = path.stat().st_mtime_ns + seconds * 10**9
    os.utime(path, ns=(later, later))


def mark(folder, uid):
    """Write a Dice that nothing measures into the QC table: whoever judges the scan again loses it."""
    qc = read_table(folder / "qc.parquet", QC)
    qc.loc[qc["series_uid"] == uid, "lungs_dice"] = 0.123
    write_table(qc, folder / "qc.parquet", QC)


def test_the_row_tells_how_lungs_and_reference_agree(referenced, tmp_path):
    result, qc = run(*referenced, tmp_path / "out")
    assert (qc[COMPARED[:3]] > 0.95).all(axis=None)
    assert qc["reference_lungs_ml"].to_numpy() == pytest.approx(qc["lungs_ml"].to_numpy(), rel=0.05)
    assert (qc["left_lung_ml"] + qc["right_lung_ml"]).to_numpy() == pytest.approx(qc["lungs_ml"].to_numpy(), abs=0.01)
    assert (qc["reference_reason"] == "").all()
    assert result.num_failed == 0


def test_without_references_the_columns_are_missing(subset, tmp_path):
    _, qc = run(*subset, tmp_path / "out")
    assert qc[COMPARED].isna().all(axis=None)
    assert (qc["reference_reason"] == "").all()
    assert (qc["left_lung_ml"] > 0).all()


def test_a_changed_reference_refreshes_its_row_and_no_volume(referenced, tmp_path, draw, write_reference):
    scans, nodules = referenced
    folder = tmp_path / "out"
    first, before = run(scans, nodules, folder)
    mark(folder, "1.2.0")
    drawn = draw(spacing=(3.0, 3.0, 3.0), scale=0.4, seed=1)
    codes = np.array([0, 3, 0], dtype=np.uint8)[drawn.lungs]
    write_reference(scans[1], codes, drawn.grid)
    touch(scans[1].reference.data_path)
    second, after = run(scans, nodules, folder)
    assert (second.num_kept, second.num_computed) == (3, 0)
    assert second.entries == first.entries
    assert after.loc["1.2.1", "right_lung_dice"] == 0.0
    assert after.loc["1.2.1", "left_lung_dice"] == before.loc["1.2.1", "left_lung_dice"]
    # the others were not looked at again
    assert after.loc["1.2.0", "lungs_dice"] == 0.123
    assert after.loc["1.2.2"].equals(before.loc["1.2.2"])


def test_a_touched_reference_judges_nothing_again(referenced, tmp_path):
    scans, nodules = referenced
    folder = tmp_path / "out"
    run(scans, nodules, folder)
    mark(folder, "1.2.0")
    for path in (scans[0].reference.header_path, scans[0].reference.data_path):
        touch(path)
        assert path in unchanged_sources(scans, folder)
    _, after = run(scans, nodules, folder)
    assert after.loc["1.2.0", "lungs_dice"] == 0.123


def test_references_that_come_and_go_are_noticed(subset, referenced, tmp_path):
    (plain, nodules), (scans, _) = subset, referenced
    folder = tmp_path / "out"
    _, without = run(plain, nodules, folder)
    second, with_them = run(scans, nodules, folder)
    assert second.num_kept == 3
    assert with_them[COMPARED].notna().all(axis=None)
    third, again = run([replace(scan, reference=None) for scan in scans], nodules, folder)
    assert third.num_kept == 3
    assert again.equals(without)


@pytest.mark.parametrize("is_known", [False, True], ids=["first run", "later"])
def test_a_broken_reference_costs_the_comparison_and_not_the_scan(referenced, tmp_path, is_known):
    scans, nodules = referenced
    folder = tmp_path / "out"
    if is_known:
        run(scans, nodules, folder)
    voxels = scans[2].reference.data_path
    content = voxels.read_bytes()
    voxels.write_bytes(content[:-10])
    for _ in range(2):  # it is said in every run, not in the first alone
        log = []
        result, qc = run(scans, nodules, folder, log)
        assert len(result.entries) == 3
        assert qc.loc["1.2.2", "is_ok"]
        assert qc.loc["1.2.2", COMPARED].isna().all()
        assert "bytes of voxels" in qc.loc["1.2.2", "reference_reason"]
        assert [line for line in log if "1.2.2: lungs not compared: " in line and "1.2.2.zraw" in line]
    voxels.write_bytes(content)
    result, qc = run(scans, nodules, folder)
    assert result.num_kept == 3
    assert qc[COMPARED].notna().all(axis=None)


def test_a_reference_that_goes_while_it_is_listed_is_a_reason(referenced, tmp_path):
    scans, nodules = referenced
    scans[0].reference.header_path.unlink()
    scans[0].reference.data_path.unlink()
    result, qc = run(scans, nodules, tmp_path / "out")
    assert len(result.entries) == 3
    assert "No such file" in qc.loc["1.2.0", "reference_reason"]
    assert run(scans, nodules, tmp_path / "out")[0].num_kept == 3


def test_only_changed_references_are_news_to_the_workflow(referenced, tmp_path):
    scans, nodules = referenced
    folder = tmp_path / "out"
    assert unchanged_sources(scans, folder) == set()
    run(scans, nodules, folder)
    files = {path for scan in scans for own in (scan, scan.reference) for path in (own.header_path, own.data_path)}
    assert unchanged_sources(scans, folder) == files
    header = scans[1].reference.header_path
    header.write_text(header.read_text() + " ")
    touch(header)
    assert unchanged_sources(scans, folder) == files - {header, scans[1].reference.data_path}
