"""What an edit reruns: that much, and no more."""

import hashlib
from pathlib import Path

import pytest

AFTER_FOLD = {"evaluate_study", "draw_figures", "write_report"}


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def judged(fold: int) -> set[str]:
    return {f"{rule} {fold}" for rule in ("detect_candidates", "score_candidates", "aggregate_patients")}


def trained(fold: int) -> set[str]:
    return {f"{rule} {fold}" for rule in ("train_detector", "mine_candidates", "train_scorer")}


def change_voxels(raw: Path) -> None:
    """Add 200 HU to a few voxels in the middle; the format stays as it is."""
    content = bytearray(raw.read_bytes())
    middle = len(content) // 4 * 2
    for place in range(middle, middle + 200, 2):
        value = int.from_bytes(content[place : place + 2], "little", signed=True)
        content[place : place + 2] = (value + 200).to_bytes(2, "little", signed=True)
    raw.write_bytes(content)


@pytest.fixture
def edit(copy):
    """Replace text in a file of the copied package."""

    def replace(path: str, old: str, new: str) -> None:
        file = copy.folder / "src" / "lungpipe" / path
        text = file.read_text()
        assert text.count(old) == 1, path
        file.write_text(text.replace(old, new))

    return replace


def test_one_edited_scan_is_computed_alone_and_reruns_the_folds_that_read_it(copy):
    raw = copy.raw(2)
    volumes = copy.dataset / "volumes"
    before = digests(volumes)
    change_voxels(raw)

    planned = copy.plan()
    # subset 2 is judged by fold 2 and learned from by fold 0, which is judged on subset 0
    expected = {"prepare_subset 2", "compare_lungs 2", "account_scans", *AFTER_FOLD}
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


def test_comments_docstrings_and_layout_rerun_nothing(copy, edit):
    edit(
        "patients/aggregate.py",
        'COUNTED_PROBABILITY = 0.5\n"""',
        'COUNTED_PROBABILITY = (\n    0.5  # a half\n)\n"""Said otherwise: ',
    )
    edit("volumes/prepare.py", "from collections import Counter", "# why not\nfrom collections import Counter")
    assert "Nothing to be done" in copy.plan().text


def test_code_of_a_room_reruns_what_stands_on_it(copy, edit):
    edit("patients/aggregate.py", "COUNTED_PROBABILITY = 0.5", "COUNTED_PROBABILITY = 0.4")
    planned = copy.plan()
    assert planned.names == {"aggregate_patients 0", "aggregate_patients 2", *AFTER_FOLD}
    changed = {job.rule for job in planned.jobs if "Params have changed" in job.reason}
    assert changed == {"aggregate_patients"}


def test_code_of_the_judge_reruns_no_training(copy, edit):
    edit("evaluation/matching.py", "MAX_MARKS_PER_SCAN = 100", "MAX_MARKS_PER_SCAN = 99")
    names = copy.plan().names
    assert "evaluate_study" in names
    assert not {name for name in names if name.startswith(("train_", "mine_", "detect_", "prepare_"))}


def test_a_setting_reruns_the_rules_that_read_it(copy):
    assert copy.plan(delta=copy.delta("evaluation: {num_bootstraps: 60}")).names == AFTER_FOLD


def test_another_fold_leaves_the_finished_ones(copy):
    names = copy.plan(delta=copy.delta("folds: [0, 1, 2]")).names
    assert names == AFTER_FOLD | trained(1) | judged(1)


def test_a_setting_that_changes_together_with_a_scan_reruns_both(copy):
    # what the scan reruns must not hide what the setting reruns
    change_voxels(copy.raw(2))
    names = copy.plan(delta=copy.delta("scale: {detector: {num_steps: 81}}")).names
    assert trained(2) <= names


def test_whether_a_failure_is_fatal_computes_nothing_again(copy):
    names = copy.plan(delta=copy.delta("preprocessing: {is_failure_fatal: false}")).names
    assert names == {"account_scans", "write_report"}


@pytest.mark.parametrize(
    ("old", "new", "rerun"),
    [
        # how much is on the device at once
        ("tiles_per_batch: 1", "tiles_per_batch: 3", set()),
        ("patches_per_batch: 32", "patches_per_batch: 8", set()),
        # how a trained scorer is applied
        ("num_views: 8", "num_views: 2", {"score_candidates", "aggregate_patients", *AFTER_FOLD}),
        # what a scorer learns
        (
            "malignancy_weight: 0.5",
            "malignancy_weight: 0.4",
            {"train_scorer", "score_candidates", "aggregate_patients", *AFTER_FOLD},
        ),
    ],
)
def test_an_edit_of_the_recipe_reruns_what_reads_it(copy, old, new, rerun):
    recipe = copy.folder / "recipes" / "flagship.yaml"
    text = recipe.read_text()
    assert text.count(old) == 1
    recipe.write_text(text.replace(old, new))
    # the report lists all settings
    assert {job.rule for job in copy.plan().jobs} == rerun | {"write_report"}


def test_an_edit_of_a_network_retrains_that_network_alone(copy, edit):
    edit("models/center_net.py", "STEM_STRIDE = 2", "STEM_STRIDE = 1 + 1")
    assert "Nothing to be done" in copy.plan().text
    edit("models/resnet.py", "(size - 1) // 2, size // 2 + 1", "(size - 1) // 2, 1 + size // 2")
    names = copy.plan().names
    assert {"train_scorer 0", "train_scorer 2"} <= names
    assert not {name for name in names if name.startswith(("train_detector", "mine_", "detect_"))}


def test_threads_and_device_compute_nothing_again(copy):
    names = copy.plan(delta=copy.delta("compute: {num_threads: 2, device: cpu}")).names
    assert names == {"write_report"}


@pytest.mark.parametrize("setting", ["worker_memory_gib: 2.0", "scheduler_address: 'tcp://127.0.0.1:8786'"])
def test_where_volumes_are_prepared_computes_nothing_again(copy, setting):
    # the report alone lists all settings
    assert copy.plan(delta=copy.delta(f"preprocessing: {{{setting}}}")).names == {"write_report"}
