"""What edits that the table in `edits.yaml` does not show rerun, and which volumes are computed again."""

import hashlib
from pathlib import Path

import pytest
from edit_matrix import change_voxels

AFTER_FOLD = {"evaluate_study", "draw_figures", "write_report"}


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def judged(fold: int) -> set[str]:
    return {f"{rule} {fold}" for rule in ("detect_candidates", "score_candidates")}


def trained(fold: int) -> set[str]:
    return {f"{rule} {fold}" for rule in ("train_detector", "mine_candidates", "train_scorer")}


def test_one_edited_scan_is_computed_alone_and_reruns_the_folds_that_read_it(copy):
    raw = copy.raw(2)
    volumes = copy.dataset / "volumes"
    before = digests(volumes)
    change_voxels(raw)

    planned = copy.plan()
    # subset 2 is judged by fold 2 and learned from by fold 0, which is judged on subset 0
    expected = {"prepare_subset 2", "check_subset 2", "account_scans", *AFTER_FOLD}
    assert planned.names == expected | judged(2) | trained(0) | judged(0)

    copy.snakemake("results/ci/volumes/subset2/manifest.json")
    log = (copy.dataset / "logs" / "prepare_subset" / "subset2.log").read_text()
    assert "2 of 2 scans ready: 1 kept, 1 computed, 0 failed" in log
    after = digests(volumes)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed
    stores = {path for path in changed if ".ome.zarr/" in path}
    assert stores
    assert {path.split("/")[1] for path in stores} == {f"{raw.stem}.ome.zarr"}
    assert changed - stores <= {f"subset2/{name}" for name in ("manifest.json", "qc.parquet", "raw_files.json")}


def test_another_fold_leaves_the_finished_ones(copy):
    names = copy.plan(delta=copy.delta("folds: [0, 1, 2]")).names
    assert names == AFTER_FOLD | trained(1) | judged(1)


def test_a_setting_that_changes_together_with_a_scan_reruns_both(copy):
    # what the scan reruns must not hide what the setting reruns
    change_voxels(copy.raw(2))
    names = copy.plan(delta=copy.delta("scale: {detector: {num_steps: 81}}")).names
    assert trained(2) <= names


@pytest.mark.parametrize(
    ("path", "old", "new", "is_kept"),
    [
        ("preparation/up_to_date.py", "return len(others)", "return len([*others])", True),
        ("lungs/segment.py", "CLOSING_SHARE = 1 / 8", "CLOSING_SHARE = 1 / 7", False),
    ],
)
def test_a_volume_is_computed_again_for_code_of_its_voxels_alone(copy, path, old, new, is_kept):
    log = copy.dataset / "logs" / "prepare_subset" / "subset2.log"
    first = log.read_text()
    manifest = copy.dataset / "volumes" / "subset2" / "manifest.json"
    before, file = manifest.read_bytes(), copy.folder / "src" / "lungpipe" / path
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))
    copy.snakemake("results/ci/volumes/accounting.csv")
    # code that only arranges the work does not even start the job
    assert (log.read_text() == first) == is_kept
    assert log.read_text().count("2 of 2 scans ready: 0 kept, 2 computed, 0 failed") == 1
    assert (manifest.read_bytes() == before) == is_kept
    # volumes that were kept train nothing again, once they are prepared by themselves
    trained = {name for name in copy.plan().names if name.startswith("train_")}
    assert bool(trained) != is_kept


def test_what_a_failed_rerun_removed_is_made_again_although_later_results_are_there(copy):
    # Snakemake removes the outputs of a job that fails; what was made from them by an earlier run is still there
    study = copy.dataset / "flagship"
    for name in ("fold0/mined.parquet", "figures/charts.json"):
        (study / name).unlink()
    names = copy.plan().names
    assert {"mine_candidates 0", "train_scorer 0", "score_candidates 0", "draw_figures", "write_report"} <= names
    assert not {"train_detector 0", "detect_candidates 0", "prepare_subset 0"} & names
