"""Lungs beside reference masks: figures by hand, and every reference that is refused, with its reason."""

import math

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.lungs.sides import LEFT, RIGHT
from lungpipe.preparation.compare_lungs import NO_LUNGS, CompareRequest, compare_lungs, measure_agreement
from lungpipe.preparation.workers import Workers
from lungpipe.tables import REFERENCES
from lungpipe.volumes.manifest import MANIFEST_FILE, ManifestError, VolumeEntry, write_manifest
from lungpipe.volumes.store import VolumeError
from lungpipe.volumes.writer import write_volume

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
NATIVE = Grid((8, 10, 12), (2.0, 1.0, 1.0), (0.0, 9.0, 11.0), FLIPPED)
STORED = NATIVE.resampled((2.0, 1.0, 1.0))
FIGURES = ["lungs_dice", "left_lung_dice", "right_lung_dice", "reference_lungs_ml"]


def draw():
    """Lungs on the stored grid: 4 x 8 x 4 voxels of 2 mm3 each, 256 mm3 a lung."""
    lungs = np.zeros(STORED.shape_zyx, dtype=np.uint8)
    lungs[2:6, 1:9, 1:5], lungs[2:6, 1:9, 7:11] = RIGHT, LEFT
    return lungs


def draw_reference():
    """LUNA16's labels on the flipped native grid: a quarter of the left lung is missing, and there is a trachea."""
    lungs = draw()
    lungs[5, :, 7:11] = 0
    codes = np.array([0, 3, 4], dtype=np.uint8)[lungs][:, ::-1, ::-1]
    codes[0, 0, 0] = 5
    return codes


@pytest.fixture
def folder(tmp_path):
    """The drawn lungs of three series, as if they had been prepared."""
    folder, grid = tmp_path / "volumes", (STORED.shape_zyx, STORED.spacing_zyx_mm, STORED.origin_zyx_mm)
    folder.mkdir()
    entries = [VolumeEntry(uid, f"{uid}.ome.zarr", *grid, *"spch", 0.0, 0, 0, {}) for uid in ("1.2", "1.3", "1.4")]
    for entry in entries:
        hu = np.zeros(STORED.shape_zyx, dtype=np.int16)
        write_volume(folder / entry.store, hu, STORED, draw(), series_uid=entry.series_uid, attributes={})
    write_manifest(folder / MANIFEST_FILE, entries)
    return folder


@pytest.fixture
def scans(tmp_path, write_scan, write_reference):
    """Two scans with a reference, one without, and one with a reference that could not be prepared."""
    hu = np.full(NATIVE.shape_zyx, -1000, dtype=np.int16)
    files = [write_scan(tmp_path / "subset0", uid, hu, NATIVE) for uid in ("1.2", "1.3", "1.4", "1.5")]
    return [file if file.series_uid == "1.3" else write_reference(file, draw_reference(), NATIVE) for file in files]


def compare(scans, folder, *, is_whole=False, memory_bytes=2**32):
    """Return the table by series, and what was said."""
    log = []
    workers = Workers(2, memory_bytes)
    table = compare_lungs(scans, folder, CompareRequest(7, is_whole), workers, log=log.append)
    assert REFERENCES.conform(table).equals(table)
    return table.set_index("series_uid"), log


def test_prepared_scans_with_a_reference_are_compared_by_hand(scans, folder):
    table, log = compare(scans, folder)
    assert table.index.tolist() == ["1.2", "1.4"]
    for row in table.to_dict("records"):
        assert row == {
            "subset": 7,
            "lungs_dice": round(2 * 224 / (256 + 224), 5),
            "left_lung_dice": round(2 * 96 / (128 + 96), 5),
            "right_lung_dice": 1.0,
            "reference_lungs_ml": 0.448,
            "reference_reason": "",
        }
    assert sorted(log) == ["1.2: lungs compared", "1.4: lungs compared"]


def test_without_references_there_is_a_table_without_rows(scans, folder):
    table, log = compare(scans[1:2], folder)
    assert len(table) == len(log) == 0


def damage(reference, how):
    """Return what the reason must say."""
    if how == "gone":
        reference.header_path.unlink()
        return "1.2.mhd: expected a readable file, found No such file"
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
    if how == "moved":
        reference.header_path.write_text(text.replace("Offset = 11 9 0", "Offset = 12 9 0"))
        return "expected the scan's grid"
    reference.header_path.write_text(text.replace("DimSize = 12 10 8", "DimSize = 1200 1000 800"))
    return "expected the scan's shape (8, 10, 12) (zyx), found (800, 1000, 1200)"


@pytest.mark.parametrize("how", ["gone", "voxels gone", "truncated", "garbage", "moved", "huge"])
def test_a_reference_that_cannot_be_used_is_a_reason_and_no_failure(scans, folder, how):
    expected = damage(scans[0].reference, how)
    table, log = compare(scans, folder)
    assert table.loc["1.2", FIGURES].isna().all()
    reason = table.loc["1.2", "reference_reason"]
    assert expected in reason
    assert "seg-lungs-LUNA16" in reason
    assert f"1.2: lungs not compared: {reason}" in log
    # the other one is compared all the same
    assert table.loc["1.4", FIGURES].notna().all()


def test_a_reference_beyond_the_memory_is_not_read(scans, folder):
    table, _ = compare(scans, folder, memory_bytes=2**29)
    assert table[FIGURES].isna().all(axis=None)
    reason = table.loc["1.2", "reference_reason"]
    assert "1.2.mhd: expected a reference that is compared in 0.50 GiB (preprocessing.worker_memory_gib" in reason


def test_a_mask_that_is_the_whole_volume_has_no_lungs_to_compare(scans, folder):
    table, log = compare(scans, folder, is_whole=True)
    assert table["reference_reason"].tolist() == [NO_LUNGS, NO_LUNGS]
    assert table[FIGURES].isna().all(axis=None)
    assert log == [f"{uid}: lungs not compared: {NO_LUNGS}" for uid in ("1.2", "1.4")]


def test_a_volume_that_cannot_be_read_is_no_fault_of_the_reference(scans, folder):
    labels = folder / "1.4.ome.zarr/labels/lungs/0/c/0/0/0"
    labels.write_bytes(b"\xff" * labels.stat().st_size)
    with pytest.raises(VolumeError, match=r"1\.4\.ome\.zarr"):
        compare(scans, folder)
    (folder / MANIFEST_FILE).unlink()
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        compare(scans, folder)


def test_lungs_that_were_missed_agree_with_nothing():
    figures = measure_agreement(np.zeros(STORED.shape_zyx, dtype=np.uint8), np.where(draw() == LEFT, LEFT, 0), STORED)
    assert figures["lungs_dice"] == figures["left_lung_dice"] == 0.0
    assert math.isnan(figures["right_lung_dice"])
