"""Which of several series is proposed."""

import shutil

import numpy as np
import pytest
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

from lungpipe.datasets.dicom.thinnest import propose_series


def write(folder, uid, count, distance, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        elements = {
            "SeriesInstanceUID": uid,
            "SeriesDescription": f"series {uid}",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": 4,
            "Columns": 4,
            "PixelSpacing": [1.0, 1.0],
            "ImagePositionPatient": [0.0, 0.0, distance * index],
            "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(np.zeros((4, 4), np.int16)),
            **changes,
        }
        write_ct(folder / f"{uid}-{index}.dcm", CTImageStorage, f"{uid}.{index}", elements)
    return folder


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([("1.2", 40, 5.0), ("1.3", 60, 1.25), ("1.4", 50, 2.5)], "1.3"),
        ([("1.2", 40, 1.26), ("1.3", 60, 1.25)], "1.3"),
        ([("1.2", 40, 1.25), ("1.1", 40, 1.25)], "1.1"),
        ([("1.2", 10, 0.5), ("1.3", 30, 5.0)], "1.3"),
        ([("1.2", 10, 0.5), ("1.3", 12, 5.0)], "1.2"),
    ],
    ids=["thinnest", "most slices", "first", "not a part", "parts alone"],
)
def test_the_thinnest_series_is_proposed(tmp_path, others, chosen):
    for uid, count, distance in others:
        write(tmp_path / "a" / uid, uid, count, distance)
    proposal = propose_series(tmp_path / "a")
    assert proposal.series_uid == chosen
    assert proposal.remark.startswith(f"{len(others)} CT series: chose the one with the thinnest slices")
    assert f"series {chosen}" in proposal.remark


def test_other_modalities_and_localizers_are_no_choice(tmp_path):
    write(tmp_path, "1.2", 30, 1.0)
    write(tmp_path, "1.3", 30, 0.5, Modality="MR")
    write(tmp_path, "1.4", 30, 0.5, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write(tmp_path, "1.5", 30, 0.5, ImagePositionPatient=None)
    assert propose_series(tmp_path) is None
    write(tmp_path, "1.6", 30, 2.0)
    assert propose_series(tmp_path).series_uid == "1.2"


def test_an_archive_is_searched_and_another_file_is_not(tmp_path):
    for uid, distance in (("1.2", 2.0), ("1.3", 1.0)):
        write(tmp_path / "a", uid, 22, distance)
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a")
    assert propose_series(tmp_path / "a.zip").series_uid == "1.3"
    assert propose_series(tmp_path / "a" / "1.2-0.dcm") is None
