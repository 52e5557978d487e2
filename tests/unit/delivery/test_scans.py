"""Which folders hold many scans."""

import os

import numpy as np
import pytest
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

from lungpipe.delivery.scans import list_inputs


def write_slice(folder, study, series="1.2.3", name="a.dcm"):
    folder.mkdir(parents=True, exist_ok=True)
    elements = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "PixelData": store(np.zeros((2, 2), np.int16))}
    return write_ct(folder / name, CTImageStorage, f"{series}.1", {**elements, "Rows": 2, "Columns": 2})


def names(root):
    found = list_inputs(root)
    return None if found is None else [one.name for one in found]


def test_files_archives_and_stores_are_scans(tmp_path):
    for name in ("b.nii.gz", "a.mhd", "a.raw", "c.zip", "notes.txt", ".hidden.mhd"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.ome.zarr").mkdir()
    assert names(tmp_path) == ["a.mhd", "b.nii.gz", "c.zip", "d.ome.zarr"]
    assert names(tmp_path / "a.mhd") is None
    assert names(tmp_path / "d.ome.zarr") is None


def test_subsets_of_luna16_are_scans(tmp_path):
    for subset, uid in ((1, "1.2"), (0, "1.1")):
        (tmp_path / f"subset{subset}").mkdir()
        (tmp_path / f"subset{subset}" / f"{uid}.mhd").write_text("NDims = 3\nElementDataFile = none.raw\n")
    assert names(tmp_path) == ["subset0/1.1.mhd", "subset1/1.2.mhd"]


def test_folders_of_different_studies_are_scans_and_those_of_one_study_are_one_scan(tmp_path):
    write_slice(tmp_path / "a" / "series1", "1.1")
    write_slice(tmp_path / "a" / "series2", "1.1", "1.2.4")
    (tmp_path / "notes").mkdir()
    assert names(tmp_path / "a") is None
    assert names(tmp_path) is None
    write_slice(tmp_path / "b", "1.2")
    (tmp_path / "b" / "DICOMDIR.txt").write_text("x")
    assert names(tmp_path) == ["a", "b"]


def test_files_in_subfolders_are_scans_beside_dicom_folders(tmp_path):
    for name in ("a/ct.nii.gz", "b/deep/ct.mhd", "b/deep/ct.raw", "c/.hidden/ct.nii"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path) == ["a/ct.nii.gz", "b/deep/ct.mhd"]
    write_slice(tmp_path / "d", "1.1")
    assert names(tmp_path) == ["a/ct.nii.gz", "b/deep/ct.mhd", "d"]


def test_a_folder_of_slices_is_one_scan(tmp_path):
    write_slice(tmp_path, "1.1")
    assert names(tmp_path) is None


@pytest.mark.parametrize("change", ["content", "time", "voxels", None])
def test_a_signature_changes_with_the_files(tmp_path, change):
    for name in ("a.mhd", "a.raw", "b.raw"):
        (tmp_path / name).write_bytes(b"123")
    (tmp_path / "b.mhd").write_bytes(b"x")
    [one, _] = list_inputs(tmp_path)
    before = one.signature()
    if change == "content":
        (tmp_path / "a.mhd").write_bytes(b"1234")
    elif change == "time":
        os.utime(tmp_path / "a.mhd", (5, 5))
    elif change == "voxels":
        (tmp_path / "a.raw").write_bytes(b"1234")
    (tmp_path / "b.raw").write_bytes(b"another")
    assert (one.signature() == before) == (change is None)


def test_outputs_are_named_by_digests(tmp_path):
    (tmp_path / "Doe^Jane.mhd").write_bytes(b"")
    (tmp_path / "Doe^John.mhd").write_bytes(b"")
    outs = [one.out_name for one in list_inputs(tmp_path)]
    assert len(set(outs)) == 2
    assert all("Doe" not in name and name.startswith("scan-") for name in outs)
