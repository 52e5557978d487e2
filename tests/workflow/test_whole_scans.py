"""Whole scans beside a dataset of crops: they are prepared with their subset, and no fold learns from its own."""

from pathlib import Path

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage

GRID = Grid((20, 20, 20), (1.5, 1.5, 1.5))
MARKS = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
DELTA = """
dataset:
  {kind: luna16, root: luna, name: luna, num_subsets: 4, whole_scans: {"1.A": whole/a}, whole_scan_tables: tables}
folds: [1, 2]
"""


@pytest.fixture
def checkout(fresh):
    """Four subsets with a crop each, and a whole scan of subset 2 in a folder of its own."""
    root, tables, whole = (fresh.folder / name for name in ("luna", "tables", "whole/a"))
    for subset in range(4):
        (root / f"subset{subset}").mkdir(parents=True)
        write_metaimage(np.zeros(GRID.shape_zyx, np.int16), GRID, root / f"subset{subset}" / f"1.{subset}.mhd")
    tables.mkdir()
    for folder in (root, tables):
        for name in ("annotations.csv", "annotations_excluded.csv"):
            (folder / name).write_text(MARKS)
    (tables / "series.csv").write_text("seriesuid,patient_id,subset\n1.A,A,2\n")
    whole.mkdir(parents=True)
    (whole / "1.dcm").write_bytes(b"")
    return fresh


def test_a_whole_scan_belongs_to_its_subset(checkout):
    jobs = {job.name: job for job in checkout.plan(delta=checkout.delta(DELTA)).jobs}
    copies = {f"results/luna/whole_scans/subset2/1.A.{ending}" for ending in ("mhd", "zraw")}
    assert set(jobs["import_whole_scans"].outputs) == copies
    assert jobs["import_whole_scans"].inputs == ("whole/a/1.dcm",)
    assert {name for name, job in jobs.items() if copies & set(job.inputs)} == {"prepare_subset 2"}
    assert {Path(path).parts[0] for path in jobs["collect_targets"].inputs} == {"luna", "tables"}
    manifest = "results/luna/volumes/subset2/manifest.json"
    assert manifest in jobs["train_detector 1"].inputs
    assert manifest not in jobs["train_detector 2"].inputs
    assert manifest in jobs["detect_candidates 2"].inputs


def test_an_absent_whole_scan_is_refused(checkout):
    (checkout.folder / "whole" / "a" / "1.dcm").unlink()
    (checkout.folder / "whole" / "a").rmdir()
    text = checkout.refuse(checkout.delta(DELTA))
    assert "dataset.whole_scans, series 1.A: expected a file or a DICOM folder, found no whole/a" in text
