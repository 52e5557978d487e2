"""The scene of a prediction: the volume's voxels, the candidates' numbers, nothing that names the scan."""

import numpy as np
from dicom_balls import predict_balls, write_series

from lungpipe.viewer.page import write_page
from lungpipe.viewer.predicted import scene_of_prediction


def test_masks_numbers_and_slices_are_those_of_the_prediction(tmp_path):
    series = write_series(tmp_path / "series", "feet first")
    prediction = predict_balls(series)
    scene = scene_of_prediction(prediction, source=series.folder)
    assert (scene.grid, scene.scan_grid) == (prediction.volume.grid, prediction.scan_grid)
    assert scene.hu is prediction.volume.hu
    for number, (candidate, crop) in enumerate(zip(prediction.candidates, prediction.masks, strict=True), start=1):
        mark = scene.marks[number - 1]
        assert (mark.number, mark.center_zyx_mm, mark.slice_number) == (number, candidate.center_zyx_mm, 20)
        assert (mark.probability, mark.malignancy, mark.diameter_mm) == (0.8, 0.25, candidate.diameter_mm)
        assert np.count_nonzero(scene.nodules == number) > 0.5 * np.count_nonzero(crop.mask)
    assert scene.threshold == prediction.threshold
    assert scene.notes[0].startswith("Voxels of 1 × 1 × 1 mm, as the networks see the scan.")


def test_the_page_names_neither_patient_nor_series(tmp_path):
    series = write_series(tmp_path / "Doe^Jane")
    prediction = predict_balls(series)
    remark = f"{series.folder}: series {series.uid} has two slices at one place"
    changed = type(prediction)(**{**fields(prediction), "remarks": (remark,), "was_seen_in_training": True})
    scene = scene_of_prediction(changed, source=series.folder)
    assert "The model was trained or validated on this scan." in scene.notes
    assert scene.notes[-1].startswith("INPUT: series UID-")
    write_page(scene, tmp_path / "viewer.html")
    text = (tmp_path / "viewer.html").read_text()
    assert [name for name in ("Doe^", "Jane", series.uid, str(tmp_path)) if name in text] == []


def fields(prediction):
    return {name: getattr(prediction, name) for name in type(prediction).__dataclass_fields__}
