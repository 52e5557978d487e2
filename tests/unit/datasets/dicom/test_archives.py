"""DICOM series and images in zip archives."""

import errno
import zipfile

import numpy as np
import pytest

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.preparation.image_files import write_image


def test_zip_of_a_tree(series, tmp_path):
    series.write_all()
    (series.folder / "notes.txt").write_text("not a slice")
    packed = tmp_path / "patient.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in series.folder.iterdir():
            archive.write(path, f"patient/study/{path.name}")
            archive.writestr(f"__MACOSX/patient/study/._{path.name}", b"\0\5\x16\7")
    np.testing.assert_array_equal(read_scan(packed).hu, series.hu)


def test_zip_of_one_image(series, tmp_path):
    series.write_all()
    nifti = tmp_path / "a.nii"
    write_image(nifti, series.hu, Grid((6, 8, 10), (5.0, 5.0, 5.0)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(nifti, "deep/a.nii")
    again = read_scan(tmp_path / "a.zip")
    np.testing.assert_array_equal(again.hu, series.hu)
    assert again.series_uid == "a"
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.write(nifti, "deep/b.nii")
    with pytest.raises(ScanError, match=r"a\.zip: expected one scan, found deep/a\.nii, deep/b\.nii"):
        read_scan(tmp_path / "a.zip")


def test_messages_name_files_by_their_place_in_the_archive(series, tmp_path):
    series.write_all()
    series.write(2, RescaleSlope=0)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in series.folder.iterdir():
            archive.write(path, path.name)
    with pytest.raises(ScanError) as caught:
        read_scan(tmp_path / "a.zip")
    assert str(caught.value).startswith(f"{tmp_path}/a.zip/2.dcm: expected a finite rescale")


def pack(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.write(file, name)
    return path


def test_zip_in_a_zip(series, tmp_path):
    # an archive per series in an archive of the patient
    files = sorted(series.write_all().iterdir())
    series.write(2, RescaleSlope=0)
    half = {path.name: path for path in files[:3]}, {path.name: path for path in files[3:]}
    inner = [pack(tmp_path / f"{number}.zip", part) for number, part in enumerate(half)]
    outer = pack(tmp_path / "study.ZIP", {f"series/{path.name}": path for path in inner})
    patient = pack(tmp_path / "patient.zip", {"a/study.ZIP": outer})
    with pytest.raises(ScanError) as caught:
        read_scan(patient)
    wrong = f"{patient}/a/study.ZIP/series/0.zip/2.dcm: expected a finite rescale"
    assert str(caught.value).startswith(wrong)
    files = sorted(series.write_all().iterdir())
    pack(inner[0], {path.name: path for path in files[:3]})
    np.testing.assert_array_equal(read_scan(pack(tmp_path / "b.zip", {p.name: p for p in inner})).hu, series.hu)
    # not opened: the fourth archive within one another
    deep = pack(tmp_path / "c.zip", {"patient.zip": pack(tmp_path / "patient2.zip", {"a.zip": patient})})
    with pytest.raises(ScanError, match="expected DICOM files, found none"):
        read_scan(deep)


def test_folder_of_packed_files_is_refused_with_an_advice(series, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "a.txt").write_text("notes")
    pack(folder / "b.zip", {path.name: path for path in series.write_all().iterdir()})
    advice = r"; 1 are packed, such as b\.zip: unpack them, or name one \.zip in place of the folder"
    with pytest.raises(ScanError, match=rf"downloads: expected DICOM files, found none among 2 files{advice}"):
        read_scan(folder)


def test_zips_in_a_zip_are_limited_together(series, tmp_path, monkeypatch):
    inner = pack(tmp_path / "a.zip", {"0.dcm": series.write(0)})
    content = zipfile.ZipFile(inner).infolist()[0].file_size
    outer = pack(tmp_path / "b.zip", {"a.zip": inner, "c.zip": inner})
    unpacked = 2 * inner.stat().st_size + 2 * content
    monkeypatch.setattr("lungpipe.datasets.zipped.MAX_UNPACKED_BYTES", unpacked - 1)
    message = rf"b\.zip/c\.zip: expected at most {content - 1} bytes in the archive, found {content}"
    with pytest.raises(ScanError, match=message):
        read_scan(outer)


def test_a_full_disk_is_no_damaged_archive(series, tmp_path, monkeypatch):
    packed = pack(tmp_path / "a.zip", {"0.dcm": series.write(0)})

    def fill(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", fill)
    with pytest.raises(OSError, match="No space left"):
        read_scan(packed)


def test_damaged_zip_and_zip_without_a_scan_are_refused(series, tmp_path):
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(series.write(0), "0.dcm")
    content = bytearray(packed.read_bytes())
    content[300:400] = bytes(100)
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(ScanError, match=r"b\.zip: expected a readable zip archive, found"):
        read_scan(tmp_path / "b.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("notes.txt", "none")
    with pytest.raises(ScanError, match=r"a\.zip: expected DICOM files, found none among 1 files"):
        read_scan(packed)


def test_archive_that_unpacks_to_too_much_is_refused(series, tmp_path, monkeypatch):
    monkeypatch.setattr("lungpipe.datasets.zipped.MAX_UNPACKED_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.dcm", bytes(1001))
    with pytest.raises(ScanError, match=r"a\.zip: expected at most 1000 bytes in the archive, found 1001"):
        read_scan(tmp_path / "a.zip")
