"""Predictions in the formats that nnDetection and MONAI publish, by hand: marks at known world positions."""

import json
import pickle

import numpy as np
import pytest

from lungpipe.evaluation.other_tools import COLUMNS, read_monai, read_nndetection
from lungpipe.tables.errors import InputError

UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.100"
CASE = "1_3_6_1_4_1_14519_5_2_1_6279_6001_100"
BOX = {
    # two boxes of voxels 10 to 12, 20 to 24 and 30 to 36 (z, y, x), and 0 to 0
    "pred_boxes": np.array([[10.0, 20.0, 12.0, 24.0, 30.0, 36.0], [0, 0, 0, 0, 0, 0]], np.float32),
    "pred_scores": np.array([0.75, 0.5], np.float32),
    "pred_labels": np.array([0, 0]),
    "restore": True,
    "original_size_of_raw_data": np.array([50, 60, 70]),
    "itk_origin": (-100.0, -200.0, -300.0),
    "itk_spacing": (0.5, 1.0, 2.5),
    "itk_direction": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
}


@pytest.fixture
def write_boxes(tmp_path):
    def write(content, name=CASE, protocol=4):
        path = tmp_path / f"{name}_boxes.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_boxes_of_nndetection_become_marks_in_the_world(write_boxes, tmp_path, protocol):
    write_boxes(BOX, protocol=protocol)
    marks = read_nndetection([tmp_path])
    assert tuple(marks.columns) == COLUMNS
    assert marks["series_uid"].tolist() == [UID, UID]
    # centre 11, 22, 33 (z, y, x) at 2.5, 1.0 and 0.5 mm; x runs against the world
    assert marks.iloc[0, 1:].tolist() == [-300 + 27.5, -200 + 22, -100 - 16.5, 0.75]
    assert marks.iloc[1, 1:].tolist() == [-300, -200, -100, 0.5]


def test_a_case_whose_name_is_no_uid_keeps_it_and_a_scan_without_boxes_has_no_marks(write_boxes):
    empty = BOX | {"pred_boxes": np.zeros((0, 6)), "pred_scores": np.zeros(0)}
    marks = read_nndetection([write_boxes(BOX, "case_001"), write_boxes(empty, "case_002")])
    assert marks["series_uid"].tolist() == ["case_001", "case_001"]


class Harmful:
    """Runs code when it is unpickled as usual."""

    def __reduce__(self):
        return print, ("this must not run",)


WRONG = {
    "another object": (Harmful(), r"expected a pickle of arrays and plain values, found an object of builtins\.print"),
    "no dictionary": ([1], "expected predictions of nnDetection with pred_boxes, .*, found list"),
    "a missing key": ({key: BOX[key] for key in BOX if key != "itk_origin"}, "with itk_origin, found other keys"),
    "not restored": (BOX | {"restore": False}, "expected boxes on the image's own grid"),
    "a score too few": (BOX | {"pred_scores": [0.5]}, "expected a score for each of 2 boxes, found 1"),
    "boxes of two dimensions": (BOX | {"pred_boxes": np.zeros((2, 4))}, "pred_boxes: expected 6 finite numbers"),
    "no direction": (BOX | {"itk_direction": (0.0,) * 9}, "expected an orthonormal 3x3 matrix"),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_pickles_are_refused_by_name(write_boxes, name, capsys):
    content, message = WRONG[name]
    with pytest.raises(InputError, match=rf"_boxes\.pkl: .*{message}"):
        read_nndetection([write_boxes(content)])
    assert capsys.readouterr().out == ""


def test_a_folder_without_predictions_and_a_damaged_file_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected files <case>_boxes\.pkl, found none"):
        read_nndetection([tmp_path])
    (tmp_path / "a_boxes.pkl").write_bytes(b"no pickle")
    with pytest.raises(InputError, match=r"a_boxes\.pkl: expected a pickle"):
        read_nndetection([tmp_path])


SCAN = {"box": [[-10.0, -20.0, -30.0, 5.0, 6.0, 7.0]], "label": [0]}


@pytest.mark.parametrize(
    "content",
    [
        {"validation": [SCAN | {"image": f"/data/LUNA16/subset0/{UID}.mhd", "score": [0.25]}]},
        [SCAN | {"image": f"C:\\data\\{UID}.nii.gz", "label_scores": [0.25]}],
    ],
    ids=["tutorial", "bundle"],
)
def test_boxes_of_monai_are_centres_in_the_world(tmp_path, content):
    (tmp_path / "result.json").write_text(json.dumps(content))
    marks = read_monai([tmp_path / "result.json", tmp_path / "result.json"])
    assert len(marks) == 2
    assert marks.iloc[0].tolist() == [UID, -30.0, -20.0, -10.0, 0.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "expected a JSON file of MONAI's detection"),
        ("[]", "expected a list of scans, found none"),
        (
            '[{"image": "a", "boxes": []}]',
            "expected scans with image, box and score or label_scores, found image, boxes",
        ),
        ('[{"image": "a", "box": [[1, 2, 3]], "score": [1]}]', "box: expected 6 finite numbers"),
        ('[{"image": "a", "box": [[1, 2, 3, 4, 5, 6]], "score": [NaN]}]', "expected finite scores"),
    ],
)
def test_other_json_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=f"result.json: {message}"):
        read_monai([tmp_path / "result.json"])
