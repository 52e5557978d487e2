"""Reference lung masks: a changed one is compared again, and reruns no more than it must."""

import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ACCOUNTING = "results/ci/volumes/accounting.csv"


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


def prepared(checkout) -> dict[str, bytes]:
    volumes = checkout.dataset / "volumes"
    files = [path for path in volumes.rglob("*") if path.is_file() and path.name not in ("qc.parquet", "sources.json")]
    return {path.relative_to(volumes).as_posix(): path.read_bytes() for path in files if path.suffix != ".csv"}


def test_a_changed_reference_prepares_no_scan_and_trains_nothing_by_way_of_the_accounting(copy, reference):
    before = prepared(copy)
    drop_right_lung(reference)
    # Snakemake plans all that stands behind a job; after a run for the accounting alone it finds the manifest unchanged
    assert "train_segmenter 0" in copy.plan().names
    assert copy.snakemake(ACCOUNTING).names == {"prepare_subset 2", "account_scans"}
    log = (copy.dataset / "logs" / "prepare_subset" / "subset2.log").read_text()
    assert "2 of 2 scans ready: 2 kept, 0 computed, 0 failed" in log
    qc = pd.read_parquet(copy.dataset / "volumes" / "subset2" / "qc.parquet").set_index("series_uid")
    assert qc.loc[reference.stem, "right_lung_dice"] == 0.0
    assert qc.loc[reference.stem, "left_lung_dice"] > 0.9
    assert (qc["right_lung_dice"] > 0.9).sum() == 1
    accounting = pd.read_csv(copy.folder / ACCOUNTING, index_col="subset")
    assert accounting["lungs_dice_min"].idxmin() in ("2", "total")
    assert prepared(copy) == before
    assert copy.plan().names == {"write_report"}


def test_a_touched_reference_reruns_nothing(copy, reference):
    reference.touch()
    reference.with_suffix(".mhd").touch()
    assert "Nothing to be done" in copy.plan().text


def test_a_broken_reference_is_accounted_for_and_fails_nothing(copy, reference):
    reference.write_bytes(reference.read_bytes()[:-20])
    copy.snakemake(ACCOUNTING)
    accounting = pd.read_csv(copy.folder / ACCOUNTING, index_col="subset")
    counted = ["expected", "prepared", "references", "references_not_compared"]
    assert accounting.loc["2", counted].tolist() == [2, 2, 2, 1]
    assert accounting.loc["total", counted].tolist() == [8, 8, 8, 1]
    log = (copy.dataset / "logs" / "prepare_subset" / "subset2.log").read_text()
    assert f"{reference.stem}: lungs not compared: " in log
    assert reference.stem not in (copy.folder / ACCOUNTING).read_text()
