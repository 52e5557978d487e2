"""Reference lung masks: one that comes, changes, breaks or goes is compared again, and reruns nothing else."""

import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ACCOUNTING = "results/ci/volumes/accounting.csv"
BESIDE = {"check_subset 2", "account_scans", "write_report"}
"""What a reference of subset 2 reruns."""


@pytest.fixture
def reference(copy) -> Path:
    """The voxels of the reference of a scan of subset 2."""
    return copy.dataset / "raw" / "seg-lungs-LUNA16" / f"{copy.raw(2).stem}.zraw"


def drop_right_lung(voxels: Path) -> None:
    labels = np.frombuffer(zlib.decompress(voxels.read_bytes()), dtype=np.uint8)
    content = zlib.compress(np.where(labels == 4, 0, labels).astype(np.uint8).tobytes(), 1)
    voxels.write_bytes(content)
    header = voxels.with_suffix(".mhd")
    header.write_text(re.sub(r"(CompressedDataSize) = \d+", rf"\1 = {len(content)}", header.read_text()))


def left_alone(checkout) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file of the dataset that no comparison may touch.

    The job that compares writes the QC table, too: its content may not change, its time does.
    """
    beside = {"references.parquet", "accounting.csv", "digests.json"}
    folders = [checkout.dataset / "volumes", checkout.dataset / "targets", *checkout.recipe.glob("fold*")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name not in beside]
    return {
        path.relative_to(checkout.folder).as_posix(): (
            path.read_bytes(),
            0 if path.name == "qc.parquet" else path.stat().st_mtime_ns,
        )
        for path in files
    }


def compared(checkout, subset: int) -> pd.DataFrame:
    table = pd.read_parquet(checkout.dataset / "volumes" / f"subset{subset}" / "references.parquet")
    return table.set_index("series_uid")


def test_a_changed_reference_is_compared_again_and_reruns_nothing_else(copy, reference):
    before = left_alone(copy)
    drop_right_lung(reference)
    answer = copy.snakemake()
    assert answer.names == BESIDE
    assert left_alone(copy) == before
    table = compared(copy, 2)
    assert table.loc[reference.stem, "right_lung_dice"] == 0.0
    assert table.loc[reference.stem, "left_lung_dice"] > 0.9
    assert (table["right_lung_dice"] > 0.9).sum() == 1
    accounting = pd.read_csv(copy.folder / ACCOUNTING, index_col="subset")
    assert accounting["lungs_dice_min"].idxmin() in ("2", "total")
    assert "Nothing to be done" in copy.plan().text


def test_a_touched_reference_reruns_nothing(copy, reference):
    reference.touch()
    reference.with_suffix(".mhd").touch()
    assert "Nothing to be done" in copy.plan().text


def test_a_broken_reference_is_accounted_for_and_fails_nothing(copy, reference):
    reference.write_bytes(reference.read_bytes()[:-20])
    assert copy.snakemake(ACCOUNTING).names == BESIDE - {"write_report"}
    accounting = pd.read_csv(copy.folder / ACCOUNTING, index_col="subset")
    counted = ["expected", "prepared", "references", "references_not_compared"]
    assert accounting.loc["2", counted].tolist() == [2, 2, 2, 1]
    assert accounting.loc["total", counted].tolist() == [8, 8, 8, 1]
    log = (copy.dataset / "logs" / "check_subset" / "subset2.log").read_text()
    assert f"{reference.stem}: lungs not compared: " in log
    assert reference.stem not in (copy.folder / ACCOUNTING).read_text()


@pytest.fixture
def luna16(copy):
    """The finished study with its scans as a dataset of files, which no rule writes; and the delta that reads it."""
    delta = copy.delta("dataset: {kind: luna16, root: results/ci/raw}")
    # the tables are others, with the same content
    assert copy.snakemake("results/ci/targets/series.parquet", delta=delta).names == {"collect_targets"}
    copy.snakemake(delta=delta)
    assert "Nothing to be done" in copy.plan(delta=delta).text
    return copy, delta


def test_references_that_go_and_come_are_noticed_and_rerun_nothing_else(luna16, reference, tmp_path):
    checkout, delta = luna16
    before, account = left_alone(checkout), pd.read_csv(checkout.folder / ACCOUNTING)
    shutil.move(reference.parent, tmp_path / "away")
    answer = checkout.snakemake(delta=delta)
    assert answer.names == {*(f"check_subset {subset}" for subset in range(4)), "account_scans", "write_report"}
    assert len(compared(checkout, 2)) == 0
    without = pd.read_csv(checkout.folder / ACCOUNTING, index_col="subset")
    assert without["references"].tolist() == [0] * 5
    assert without["lungs_dice_median"].isna().all()

    reference.parent.mkdir()
    for path in (reference, reference.with_suffix(".mhd")):
        shutil.copy2(tmp_path / "away" / path.name, path)
    assert checkout.snakemake(delta=delta).names == BESIDE
    assert compared(checkout, 2).index.tolist() == [reference.stem]

    shutil.rmtree(reference.parent)
    shutil.move(tmp_path / "away", reference.parent)
    checkout.snakemake(delta=delta)
    assert pd.read_csv(checkout.folder / ACCOUNTING).equals(account)
    assert left_alone(checkout) == before
