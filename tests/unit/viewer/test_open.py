"""Scenes of scans and stores: their own grid, lungs, masks from files, and remarks without identifiers."""

import numpy as np
import pytest
from chest_models import draw_chests

from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.prediction.privacy import digest_of_name
from lungpipe.preparation.image_files import write_image
from lungpipe.tables.errors import InputError
from lungpipe.viewer.open import Shown, open_scene


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    return draw_chests(tmp_path_factory.mktemp("chest"))[0]


def opened(source, shown):
    remarks = []
    return open_scene(source, shown, on_remark=remarks.append), remarks


def test_a_scan_is_shown_on_its_own_grid_with_lungs(chest):
    scene, remarks = opened(chest, Shown())
    scan = read_scan(chest)
    assert scene.grid == scene.scan_grid == scan.grid
    np.testing.assert_array_equal(scene.hu, scan.hu)
    assert set(np.unique(scene.lungs)) == {0, 1, 2}
    assert (scene.nodules, scene.marks, remarks) == (None, (), [])
    assert scene.digest == digest_of_name(scan.series_uid)
    assert opened(chest, Shown(has_lungs=False))[0].lungs is None


def test_a_store_brings_its_lungs(write_store):
    lungs = np.zeros((8, 9, 10), np.uint8)
    lungs[2:4] = 1
    store = write_store("1.2", np.full((8, 9, 10), -900), (1.0, 2.0, 3.0), lungs=lungs)
    scene, _ = opened(store, Shown())
    assert scene.grid.spacing_zyx_mm == (1.0, 2.0, 3.0)
    np.testing.assert_array_equal(scene.lungs, lungs)


def test_masks_on_any_grid_are_placed_by_the_world(write_store, tmp_path):
    store = write_store("1.2", np.full((8, 9, 10), -900), origin=(10.0, 20.0, 30.0))
    labels = np.zeros((4, 9, 10), np.uint16)
    labels[1, 2, 3], labels[2, 5, 6] = 2, 300
    write_image(tmp_path / "nodules.nii.gz", labels, Grid((4, 9, 10), (2.0, 1.0, 1.0), (10.5, 20.0, 30.0)))
    scene, _ = opened(store, Shown(nodules=tmp_path / "nodules.nii.gz"))
    # labels of two mm cover two slices; numbers beyond 255 are left out
    assert np.argwhere(scene.nodules).tolist() == [[2, 2, 3], [3, 2, 3]]
    assert scene.nodules.max() == 2
    write_metaimage(np.full((8, 9, 10), 5, np.int16), scene.grid, tmp_path / "lungs.mhd")
    scene, _ = opened(store, Shown(lungs=tmp_path / "lungs.mhd"))
    assert (scene.lungs == 5).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 4, 4), 0.5, np.float32), "expected whole numbers from 0 on, found float32 from 0.5 to 0.5"),
        (np.full((4, 4, 4), -3, np.int16), "expected whole numbers from 0 on, found int16 from -3 to -3"),
    ],
)
def test_masks_that_are_no_labels_are_refused(write_store, tmp_path, values, message):
    store = write_store("1.2", np.full((8, 9, 10), -900))
    write_image(tmp_path / "mask.nii.gz", values, Grid((4, 4, 4)))
    with pytest.raises(ValueError, match=message):
        opened(store, Shown(nodules=tmp_path / "mask.nii.gz"))
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(ValueError, match=r"text\.nii\.gz: expected a mask"):
        opened(store, Shown(nodules=tmp_path / "text.nii.gz"))


def test_rows_of_other_series_alone_are_a_remark(write_store, tmp_path):
    store = write_store("1.2.826.0.1", np.full((8, 9, 10), -900))
    (tmp_path / "a.csv").write_text("seriesuid,coordX,coordY,coordZ\n1.2.826.0.2,1,1,1\n")
    scene, remarks = opened(store, Shown(tmp_path / "a.csv"))
    assert scene.marks == ()
    assert remarks == ["none of 1 candidates are of this series"]
    assert scene.notes == ("None of 1 candidates are of this series.",)


def test_a_scan_without_lungs_is_shown(tmp_path):
    grid = Grid((30, 40, 40), (1.0, 1.0, 1.0))
    hu = np.full(grid.shape_zyx, 40, np.int16)
    hu[:, :3] = -1000
    write_metaimage(hu, grid, tmp_path / "scan.mhd")
    scene, remarks = opened(tmp_path / "scan.mhd", Shown())
    assert scene.lungs is None
    assert remarks == ["no lungs were found"]


def test_files_of_a_prediction_are_found_and_given_ones_stay(tmp_path):
    with pytest.raises(InputError, match=r"expected candidates.csv of a prediction, found none"):
        Shown().with_prediction(tmp_path)
    for name in ("candidates.csv", "nodules.nii.gz"):
        (tmp_path / name).touch()
    shown = Shown(lungs=None).with_prediction(tmp_path)
    assert shown == Shown(tmp_path / "candidates.csv", None, tmp_path / "nodules.nii.gz")
    mine = tmp_path / "mine.csv"
    assert Shown(candidates=mine).with_prediction(tmp_path).candidates == mine
