"""What the QC row tells of the lungs, alone and beside a reference."""

import math

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.volumes.labels import LEFT, RIGHT
from lungpipe.volumes.references import compare_lungs, judge_lungs

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
NATIVE = Grid((8, 10, 12), (2.0, 1.0, 1.0), (0.0, 9.0, 11.0), FLIPPED)
STORED = NATIVE.resampled((2.0, 1.0, 1.0))


def draw():
    """Lungs on the stored grid: 4 x 8 x 4 voxels of 2 mm3 each, 256 mm3 a lung."""
    lungs = np.zeros(STORED.shape_zyx, dtype=np.uint8)
    lungs[2:6, 1:9, 1:5], lungs[2:6, 1:9, 7:11] = RIGHT, LEFT
    return lungs


@pytest.fixture
def scan(tmp_path, write_scan, write_reference):
    """A flipped scan whose reference lacks a quarter of the left lung, and has a trachea."""
    reference = draw()
    reference[5, :, 7:11] = 0
    codes = np.array([0, 3, 4], dtype=np.uint8)[reference][:, ::-1, ::-1]
    codes[0, 0, 0] = 5
    files = write_scan(tmp_path / "subset0", "1.2", np.full(NATIVE.shape_zyx, -1000, dtype=np.int16), NATIVE)
    return write_reference(files, codes, NATIVE)


def test_beside_the_reference_by_hand(scan):
    assert judge_lungs(scan, draw(), STORED, is_whole=False) == {
        "left_lung_ml": 0.256,
        "right_lung_ml": 0.256,
        "lungs_dice": round(2 * 224 / (256 + 224), 5),
        "left_lung_dice": round(2 * 96 / (128 + 96), 5),
        "right_lung_dice": 1.0,
        "reference_lungs_ml": 0.448,
    }


def test_without_a_reference_there_are_volumes_alone(scan, write_scan, tmp_path):
    alone = write_scan(tmp_path / "subset1", "1.3", np.full(NATIVE.shape_zyx, -1000, dtype=np.int16), NATIVE)
    assert alone.reference is None
    assert judge_lungs(alone, draw(), STORED, is_whole=False) == {"left_lung_ml": 0.256, "right_lung_ml": 0.256}


def damage(reference, how):
    """Return what the reason must say."""
    if how == "gone":
        reference.header_path.unlink()
        return "1.2.mhd: expected"
    if how == "voxels gone":
        reference.data_path.unlink()
        return "expected voxels in 1.2.zraw"
    if how == "truncated":
        reference.data_path.write_bytes(reference.data_path.read_bytes()[:-3])
        return "bytes of voxels"
    if how == "garbage":
        size = reference.data_path.stat().st_size
        reference.data_path.write_bytes(b"\xff" * size)
        return "expected zlib-compressed voxels"
    text = reference.header_path.read_text()
    reference.header_path.write_text(text.replace("Offset = 11 9 0", "Offset = 12 9 0"))
    return "expected the scan's grid"


@pytest.mark.parametrize("how", ["gone", "voxels gone", "truncated", "garbage", "moved"])
def test_a_reference_that_cannot_be_used_is_a_reason_and_no_failure(scan, how):
    expected = damage(scan.reference, how)
    columns = judge_lungs(scan, draw(), STORED, is_whole=False)
    assert set(columns) == {"left_lung_ml", "right_lung_ml", "reference_reason"}
    assert expected in columns["reference_reason"]
    assert "seg-lungs-LUNA16" in columns["reference_reason"]


def test_a_mask_that_is_the_whole_volume_has_no_lungs_to_compare(scan, write_scan, tmp_path):
    whole = np.ones(STORED.shape_zyx, dtype=np.uint8)
    columns = judge_lungs(scan, whole, STORED, is_whole=True)
    assert set(columns) == {"reference_reason"}
    assert "preprocessing.lung_mask 'whole'" in columns["reference_reason"]


def test_lungs_that_were_missed_agree_with_nothing():
    columns = compare_lungs(np.zeros(STORED.shape_zyx, dtype=np.uint8), np.where(draw() == LEFT, LEFT, 0), STORED)
    assert columns["lungs_dice"] == columns["left_lung_dice"] == 0.0
    assert math.isnan(columns["right_lung_dice"])
