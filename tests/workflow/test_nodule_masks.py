"""Nodule masks: a recipe that asks for them reads those of its fold's learning subsets, or is refused."""

from pathlib import Path

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage

GRID = Grid((20, 20, 20), (1.5, 1.5, 1.5))
DELTA = "dataset: {kind: luna16, root: luna, name: luna}\nfolds: [1]"


@pytest.fixture
def checkout(fresh):
    """A dataset of four subsets with one scan each, and a recipe that asks for its masks."""
    root = fresh.folder / "luna"
    for subset in range(4):
        (root / f"subset{subset}").mkdir(parents=True)
        write_metaimage(np.zeros(GRID.shape_zyx, np.int16), GRID, root / f"subset{subset}" / f"1.{subset}.mhd")
    for name in ("annotations.csv", "annotations_excluded.csv"):
        (root / name).write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    recipe = fresh.folder / "recipes" / "flagship.yaml"
    text = recipe.read_text()
    assert text.count("mask: sphere") == 1
    recipe.write_text(text.replace("mask: sphere", "mask: annotated"))
    return fresh


def write_masks(folder: Path, *uids: str) -> None:
    folder.mkdir()
    for uid in uids:
        write_metaimage(np.zeros(GRID.shape_zyx, np.uint8), GRID, folder / f"{uid}.mhd", is_compressed=True)


def test_a_dataset_without_masks_is_refused(checkout):
    message = (
        "luna/nodule_masks: expected masks (<series_uid>.mhd) for detector.sampling.mask 'annotated', found no such"
    )
    assert message in checkout.refuse(checkout.delta(DELTA))


def test_the_phantom_has_no_masks(checkout):
    text = checkout.refuse(checkout.delta("{}"))
    assert "raw/nodule_masks: expected masks (<series_uid>.mhd) for detector.sampling.mask 'annotated'" in text


def test_a_fold_reads_the_masks_of_its_learning_subsets(checkout):
    write_masks(checkout.folder / "luna" / "nodule_masks", "1.0", "1.1", "1.3")
    plan = checkout.plan(delta=checkout.delta(DELTA))
    [training] = [job for job in plan.jobs if job.rule == "train_detector"]
    names = sorted(Path(path).name for path in training.inputs if "nodule_masks" in path)
    assert names == ["1.0.mhd", "1.0.zraw", "1.3.mhd", "1.3.zraw"]
    # the report outlines the masks of the test subset
    [figures] = [job for job in plan.jobs if job.rule == "draw_figures"]
    assert sorted(Path(path).name for path in figures.inputs if "nodule_masks" in path) == ["1.1.mhd", "1.1.zraw"]
    others = [job for job in plan.jobs if job.rule not in {"train_detector", "draw_figures"}]
    assert not [path for job in others for path in job.inputs if "nodule_masks" in path]


def test_a_recipe_that_paints_balls_reads_no_mask(checkout):
    write_masks(checkout.folder / "luna" / "nodule_masks", "1.0")
    recipe = checkout.folder / "recipes" / "flagship.yaml"
    recipe.write_text(recipe.read_text().replace("mask: annotated", "mask: sphere"))
    plan = checkout.plan(delta=checkout.delta(DELTA))
    assert "train_detector" in {job.rule for job in plan.jobs}
    assert not [path for job in plan.jobs for path in job.inputs if "nodule_masks" in path]
