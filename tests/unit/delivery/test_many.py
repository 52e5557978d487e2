"""Many scans: a row each, failures, and going on after a stop."""

import shutil

import pandas as pd
import pytest
from chest_models import draw_chests
from full_disk import file_limit

from lungpipe.delivery.many import Search, predict_many
from lungpipe.delivery.outputs import Wanted
from lungpipe.delivery.scans import list_inputs
from lungpipe.tables import WriteError

SEARCH = Search(0.01, False, Wanted(has_masks=False, has_overlays=False, has_viewer=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two chests, and a file that is none between them."""
    root = tmp_path_factory.mktemp("many")
    draw_chests(root, 2)
    scans = root / "scans"
    shutil.copytree(root / "subset0", scans)
    (scans / "2.25.2.nii").write_bytes(b"no scan")
    return scans


def run(folder, out, model, search=SEARCH, on_done=lambda number, outcome: None):
    return predict_many(list_inputs(folder), out, model, search, on_done=on_done)


def test_every_scan_has_a_row_and_a_bad_one_does_not_end_the_others(folder, model, tmp_path):
    told = []
    outcomes = run(folder, tmp_path / "out", model, on_done=lambda number, outcome: told.append(number))
    assert told == [1, 2, 3]
    rows = pd.read_csv(tmp_path / "out" / "scans.csv").set_index("source")
    assert sorted(rows["status"]) == ["done", "done", "refused"]
    refused = rows.loc["2.25.2.nii"]
    assert refused["reason"] == "unusable"
    assert refused["message"].startswith("INPUT: expected")
    done = rows[rows["status"] == "done"]
    for name in done["folder"]:
        assert (tmp_path / "out" / name / "result.json").is_file()
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert len(table) == done["num_candidates"].sum()
    assert len(table) == sum(len(one.document.candidates) for one in outcomes if one.document.status == "done")
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == sorted(done["folder"])


def test_a_stopped_call_goes_on_where_it_was(folder, model, tmp_path):
    def stop(number, outcome):
        if outcome.document.status == "done":
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, model, on_done=stop)
    (out / ".scan-000000000000.partial-1").mkdir()
    first = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    assert len(first) == 1
    outcomes = run(folder, out, model)
    assert [one.is_kept for one in outcomes if one.document.status == "done"] == [True, False]
    assert all(path.stat().st_mtime_ns == time for path, time in first.items())
    assert not list(out.glob(".scan-*"))
    assert len(pd.read_csv(out / "scans.csv")) == 3


def test_what_no_longer_holds_is_done_again(folder, model, tmp_path):
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(folder, copy)

    def kept(search=SEARCH):
        return [one.is_kept for one in run(copy, out, model, search) if one.document.status == "done"]

    assert kept() == [False, False]
    assert kept() == [True, True]
    assert kept(Search(0.01, False, Wanted(has_overlays=False))) == [False, False]
    assert len(list(out.rglob("nodules.nii.gz"))) == 2
    assert kept(Search(0.4, False, SEARCH.wanted)) == [False, False]
    assert kept(Search(0.4, True, SEARCH.wanted)) == [False, False]
    assert kept() == [False, False]
    one, other = [scan for scan in list_inputs(copy) if scan.path.suffix == ".mhd"]
    one.path.write_text(one.path.read_text() + "\n")
    assert kept() == [False, True]
    (out / other.out_name / "candidates.csv").unlink()
    assert kept() == [True, False]


def test_an_output_that_was_edited_is_written_anew(folder, model, tmp_path):
    out = tmp_path / "out"
    one, other = [scan for scan in list_inputs(folder) if scan.path.suffix == ".mhd"]
    run(folder, out, model)
    edited = out / one.out_name / "result.json"
    before = edited.read_text()
    edited.write_text(before.replace('"threshold": 0.01', '"threshold": 0.010'))
    (out / other.out_name / ".signature").write_bytes(b"\xff")
    assert [one.is_kept for one in run(folder, out, model) if one.document.status == "done"] == [False, False]
    assert '"threshold": 0.01,' in edited.read_text()
    assert [one.is_kept for one in run(folder, out, model) if one.document.status == "done"] == [True, True]


def test_a_full_disk_ends_the_call_by_name_and_the_next_call_goes_on(folder, model, tmp_path):
    out = tmp_path / "out"
    with file_limit(3000), pytest.raises(WriteError, match=r"candidates\.csv: expected to write it, found"):
        run(folder, out, model)
    assert not list(out.glob(".scan-*"))
    assert not list(out.rglob("result.json"))
    assert [one.is_kept for one in run(folder, out, model) if one.document.status == "done"] == [False, False]
