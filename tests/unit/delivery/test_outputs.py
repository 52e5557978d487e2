"""The folder of one prediction: every file, and all or nothing."""

import errno
import json
import os

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK
from dicom_balls import predict_balls, write_series
from full_disk import file_limit
from PIL import Image

from lungpipe.datasets.read import read_scan
from lungpipe.delivery.outputs import OutputError, Wanted, replacing_folder, write_prediction
from lungpipe.evaluation.submission import read_submission
from lungpipe.prediction.predict import predict
from lungpipe.reporting.overlays import MAX_PICTURES, NODULE_COLOUR
from lungpipe.tables import WriteError


@pytest.fixture(scope="module")
def found(chest, model):
    return predict(chest, model=model, threshold=0.0)


@pytest.fixture(scope="module")
def written(found, model, chest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "prediction"
    return folder, write_prediction(found, folder, model, Wanted(source=chest))


def test_every_file_is_listed(written):
    folder, document = written
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == sorted([*document.files, "result.json"])
    assert json.loads((folder / "result.json").read_text()) == json.loads(document.model_dump_json())
    assert list(folder.parent.iterdir()) == [folder]
    assert {"write masks", "draw pictures", "write viewer"} < set(document.compute.times_s)


def test_the_evaluation_reads_the_candidates(written, found):
    folder, _ = written
    marks = read_submission(folder / "candidates.csv")
    assert set(marks["series_uid"]) == {found.series_uid}
    np.testing.assert_array_equal(
        marks[["center_z_mm", "center_y_mm", "center_x_mm"]], [one.center_zyx_mm for one in found.candidates]
    )
    table = pd.read_csv(folder / "candidates.csv")
    assert list(table["volume_mm3"]) == [one.volume_mm3 for one in found.candidates]
    assert set(table["notice"]) == {"Research use only, not a medical device"}


def test_masks_have_the_place_of_the_scan_and_the_notice(written, found, chest):
    folder, _ = written
    scan = SimpleITK.ReadImage(str(chest))
    for name, mask in (("lungs", found.lung_mask()), ("nodules", found.nodule_mask())):
        image = SimpleITK.ReadImage(str(folder / f"{name}.nii.gz"))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), mask)
        np.testing.assert_allclose(image.GetOrigin(), scan.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(image.GetSpacing(), scan.GetSpacing(), atol=1e-6)
        np.testing.assert_allclose(image.GetDirection(), scan.GetDirection(), atol=1e-6)
        assert image.GetMetaData("descrip") == "lungpipe: research use only, not a medical device"
    assert read_scan(chest).hu.shape == mask.shape


def test_pictures_show_the_candidates(written, found):
    folder, document = written
    pictures = [name for name in document.files if name.startswith("overlays/candidate-")]
    assert len(pictures) == min(len(found.candidates), MAX_PICTURES)
    for name in ("overlays/overview.png", *pictures[:3]):
        values = np.asarray(Image.open(folder / name))
        assert (values == NODULE_COLOUR).all(axis=-1).sum() > 20
        assert values.std() > 20


def test_masks_and_pictures_may_be_left_out(found, model, tmp_path):
    document = write_prediction(
        found, tmp_path / "a", model, Wanted(has_masks=False, has_overlays=False, has_viewer=False)
    )
    assert document.files == ("candidates.csv",)


def test_a_folder_with_content_is_replaced_only_by_force_and_only_a_prediction(found, model, tmp_path):
    few = Wanted(has_masks=False, has_overlays=False, has_viewer=False)
    forced = Wanted(has_masks=False, has_overlays=False, has_viewer=False, is_forced=True)
    folder = tmp_path / "a"
    folder.mkdir()
    write_prediction(found, folder, model, few)
    with pytest.raises(OutputError, match="--force replaces a result"):
        write_prediction(found, folder, model, few)
    (folder / "more.txt").write_text("from earlier")
    write_prediction(found, folder, model, forced)
    assert sorted(path.name for path in folder.iterdir()) == ["candidates.csv", "result.json"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="expected an earlier result"):
        write_prediction(found, other, model, forced)
    with pytest.raises(OutputError, match="expected a folder, found a file"):
        write_prediction(found, other / "mine.txt", model, forced)
    assert (other / "mine.txt").read_text() == "mine"


def test_a_stopped_call_leaves_what_was_there(found, model, tmp_path):
    def stop(name):
        raise KeyboardInterrupt

    write_prediction(found, tmp_path / "a", model, Wanted(has_masks=False, has_overlays=False, has_viewer=False))
    before = (tmp_path / "a" / "result.json").read_bytes()
    for folder in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises(KeyboardInterrupt):
            write_prediction(found, folder, model, Wanted(is_forced=True, on_stage=stop))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "result.json").read_bytes() == before


def test_an_earlier_prediction_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    def replace(source, target):
        if ".partial-" in str(source):
            raise OSError(errno.ENOSPC, "no space left")
        moved(source, target)

    folder, moved = tmp_path / "a", os.replace
    folder.mkdir()
    (folder / "result.json").write_text("earlier")
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="no space left"), replacing_folder(folder, is_forced=True) as draft:
        (draft / "result.json").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (folder / "result.json").read_text() == "earlier"


def test_dicom_objects_are_written_for_dicom_input(model, tmp_path):
    series = write_series(tmp_path / "series")
    wanted = Wanted(has_masks=False, has_overlays=False, has_viewer=False, source=series.folder)
    document = write_prediction(predict_balls(series), tmp_path / "out", model, wanted)
    assert document.files == ("candidates.csv", "dicom/report.dcm", "dicom/segmentation.dcm")
    assert pydicom.dcmread(tmp_path / "out" / "dicom" / "segmentation.dcm").Modality == "SEG"
    assert document.scan.remarks == ()
    # names of patients are in the DICOM objects alone
    texts = [(tmp_path / "out" / name).read_text() for name in ("candidates.csv", "result.json")]
    assert not any("Doe" in text for text in texts)


def test_a_source_that_dicom_objects_cannot_refer_to_costs_nothing_else(model, tmp_path):
    series = write_series(tmp_path / "series", FrameOfReferenceUID=None)
    wanted = Wanted(has_masks=False, has_overlays=False, has_viewer=False, source=series.folder)
    document = write_prediction(predict_balls(series), tmp_path / "out", model, wanted)
    assert document.files == ("candidates.csv",)
    [remark] = document.scan.remarks
    assert remark.startswith("no DICOM segmentation and report were written: expected the element FrameOfReferenceUID")


def test_a_full_disk_is_no_flaw_of_the_source(model, tmp_path):
    series = write_series(tmp_path / "series")
    wanted = Wanted(has_masks=False, has_overlays=False, has_viewer=False, source=series.folder)
    found = predict_balls(series)
    with file_limit(3000), pytest.raises(WriteError, match=r"dicom/segmentation\.dcm: expected to write it, found"):
        write_prediction(found, tmp_path / "out", model, wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["series"]
