"""Folders as archives and exporters make them: what is a slice of the scan, what is passed over, what is a choice."""

import errno
import zipfile

import numpy as np
import pydicom
import pytest
from dicom_files import write_ct
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lungpipe.datasets.dicom import list_series, read_dicom
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.preparation.image_files import write_image

OTHER = "1.2.9"
LOCALIZER = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "Rows": 4, "PixelData": b"\0" * 80}
NO_IMAGES = {
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "SR": "1.2.840.10008.5.1.4.1.1.88.33",
    "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "KO": "1.2.840.10008.5.1.4.1.1.88.59",
}
SEGMENTATION, CAPTURE, MR = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.4"


def write_other(path, sop_class, **elements):
    """Write an object of a series of its own; None drops one of a CT's elements."""
    return write_ct(path, sop_class, f"{OTHER}.1", {"SeriesInstanceUID": OTHER, **elements})


def write_bystanders(folder):
    """Write what lies beside slices in downloads and on discs, but another series of images."""
    for modality, sop_class in NO_IMAGES.items():
        write_other(folder / f"{modality}.dcm", sop_class, Modality=modality, BitsAllocated=None)
    frames = {"NumberOfFrames": 3, "Rows": 8, "Columns": 10, "PixelData": b"\0" * 480}
    write_other(folder / "SEG.dcm", SEGMENTATION, Modality="SEG", **frames)
    write_other(folder / "DICOMDIR", "1.2.840.10008.1.3.10", Modality=None, SeriesInstanceUID=None)
    for name in ("VERSION", "LICENSE", "README.TXT", "autorun.inf", "viewer.exe", ".DS_Store", "._0.dcm"):
        (folder / name).write_bytes(b"1.2.3 of no DICOM\n")


def test_tree_of_patient_study_and_series(series):
    root = series.folder
    series.folder = root / "LIDC-0001" / "01-01-2000-CT" / "3000566-NA"
    series.write_all()
    write_bystanders(root)
    scan = read_scan(root)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == ()
    assert list_series(root)[series.uid] == 6


def test_slices_of_one_series_in_several_folders(series):
    for index in range(6):
        series.write(index, folder=series.folder / f"{index % 2}")
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


def test_bystanders_between_the_slices_are_no_series_and_no_error(series):
    write_bystanders(series.write_all())
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


def test_bystanders_between_slices_without_ending(series):
    for index in range(6):
        series.write(index, f"IM{index:04d}")
    write_bystanders(series.folder)
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


@pytest.mark.parametrize("kind", ["LOCALIZER", "Scout"])
def test_localizer_in_the_series_is_left_out_and_named(series, kind):
    series.write_all()
    series.write(0, "scout.dcm", **LOCALIZER | {"ImageType": ["ORIGINAL", "PRIMARY", kind]})
    scan = read_scan(series.folder)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == ("left out, no slice but a localizer, a screenshot or a page of text: scout.dcm",)


def test_screenshot_in_the_series_is_left_out_and_named(series):
    series.write_all()
    elements = {"SeriesInstanceUID": series.uid, "Rows": 8, "Columns": 10, "PixelData": b"\0" * 160}
    write_ct(series.folder / "dose.dcm", CAPTURE, "1.2.8", elements)
    scan = read_scan(series.folder)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == ("left out, no slice but a localizer, a screenshot or a page of text: dose.dcm",)


def test_page_of_text_in_the_series_is_left_out_and_named(series):
    # scanners store dose reports and protocols as CT images
    series.write_all()
    geometry = dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"))
    page = {"ImageType": ["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"], **geometry}
    series.write(0, "page.dcm", **page)
    scan = read_dicom(series.folder)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == ("left out, no slice but a localizer, a screenshot or a page of text: page.dcm",)
    # a slice that lost its place is no page
    series.write(0, "page.dcm", **page | {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]})
    with pytest.raises(ScanError, match=r"page\.dcm: expected the element"):
        read_dicom(series.folder)


def test_localizer_of_a_series_of_its_own_is_no_choice(series):
    series.write_all()
    series.write(0, "scout.dcm", SeriesInstanceUID=OTHER, SeriesDescription="Topogram  0.6  T20f", **LOCALIZER)
    scan = read_scan(series.folder)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == (f"series {OTHER} left out: Topogram  0.6  T20f, localizer, 1 image",)


def test_nothing_but_localizers_is_refused(series):
    series.write(0, "a.dcm", **LOCALIZER)
    series.write(1, "b.dcm", **LOCALIZER)
    with pytest.raises(ScanError, match=r"expected slices, found nothing but localizers \(a\.dcm, b\.dcm\)"):
        read_scan(series.folder)


def test_other_modalities_are_no_choice(series):
    series.write_all()
    for index in range(6):
        series.write(index, f"pet{index}.dcm", SeriesInstanceUID=OTHER, Modality="PT")
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


def test_several_ct_series_are_listed_by_what_one_chooses_them_by(series):
    kernel = {"ConvolutionKernel": "B70f", "SliceThickness": 1.25, "SeriesDescription": "Lung 1.25"}
    for index in range(6):
        series.write(index, folder=series.folder / "a")
        series.write(index, folder=series.folder / "b", SeriesInstanceUID=OTHER, **kernel)
    with pytest.raises(ScanError) as caught:
        read_scan(series.folder)
    expected = "expected one series, or a choice among several, found 1.2.3.4.5, 1.2.9; choose one (--series):"
    assert str(caught.value).splitlines() == [
        f"{series.folder}: {expected}",
        "  1.2.3.4.5: no description, CT, 6 images",
        "  1.2.9: Lung 1.25, CT, 6 images, thickness 1.25 mm, kernel B70f",
    ]
    assert read_scan(series.folder, OTHER).series_uid == OTHER
    with pytest.raises(ScanError, match=r"expected series 1\.2\.7, found 1\.2\.3\.4\.5, 1\.2\.9"):
        read_scan(series.folder, "1.2.7")


def test_no_ct_among_several_series_is_refused(series):
    for index in range(6):
        for uid in (OTHER, "1.2.10"):
            series.write(index, f"{uid}.{index}.dcm", SeriesInstanceUID=uid, Modality="MR")
    with pytest.raises(ScanError, match=r"(?s)expected one series, .*1\.2\.9: no description, MR, 6 images"):
        read_scan(series.folder)


def test_zip_of_a_tree(series, tmp_path):
    series.write_all()
    write_bystanders(series.folder)
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


def strip(path, *, syntax, keep):
    """Rewrite a file as some exporters do: without preamble, without meta elements, or without the transfer syntax."""
    data = pydicom.dcmread(path)
    bare = Dataset()
    bare.update(data)
    if keep == "no transfer syntax":
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = data.SOPClassUID
        bare.file_meta, bare.preamble = meta, b"\0" * 128
        pydicom.dcmwrite(path, bare, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
        return
    pydicom.dcmwrite(path, bare, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    if keep == "no preamble":
        content, meta = path.read_bytes(), FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, data.SOPClassUID
        with path.open("wb") as stream:
            pydicom.filewriter.write_file_meta_info(stream, meta, enforce_standard=False)
            stream.write(content)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=["implicit", "explicit"])
@pytest.mark.parametrize("keep", ["nothing", "no transfer syntax", "no preamble"])
@pytest.mark.parametrize("name", ["{}", "IM{}.DCM", "1.2.840.{}", "slice {}.dcm", "{}.IMA"])
def test_files_without_head_or_ending(series, keep, syntax, name):
    for index in range(6):
        strip(series.write(index, name.format(index)), syntax=syntax, keep=keep)
    np.testing.assert_array_equal(read_dicom(series.folder).hu, series.hu)


def test_single_file_of_many_frames_needs_no_ending(series):
    path = series.write(0, "enhanced")
    with pytest.raises(ScanError, match="at least two slices, found 1"):
        read_scan(path)
    path.write_text("no DICOM")
    with pytest.raises(ScanError, match=r"expected \.mhd, .*or a DICOM folder, found no ending"):
        read_scan(path)


def test_index_of_a_disc_stands_for_the_disc(series):
    for index in range(6):
        series.write(index, f"IM{index}", folder=series.folder / "DICOM" / "PA1")
    write_bystanders(series.folder)
    np.testing.assert_array_equal(read_scan(series.folder / "DICOMDIR").hu, series.hu)


def test_texts_that_only_describe_refuse_no_file(series):
    for path in series.write_all(SliceThickness=1.25, SeriesDescription="Größe").iterdir():
        content = path.read_bytes()
        assert b"1.25" in content
        path.write_bytes(content.replace(b"1.25", b"1,25").replace("Größe".encode("latin-1"), b"\xff\xfe\xff\xfe\xff"))
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


def test_link_to_the_folder_it_lies_in_is_followed_once(series):
    series.write_all()
    (series.folder / "again").symlink_to(series.folder)
    elsewhere = series.folder.parent / "elsewhere"
    series.folder.rename(elsewhere)
    series.folder.mkdir()
    (series.folder / "linked").symlink_to(elsewhere)
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)
