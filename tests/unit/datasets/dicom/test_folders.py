"""Folders as archives and exporters make them: what is a slice of the scan, what is passed over, what is a choice."""

import os
import re

import numpy as np
import pydicom
import pytest
from dicom_files import write_ct
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lungpipe.datasets.dicom import list_series, read_dicom
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

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


CORONAL = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "Rows": 12, "PixelData": b"\0" * 240}


@pytest.mark.parametrize("kind", [None, ["ORIGINAL", "PRIMARY", "AXIAL"]])
def test_images_across_the_slices_are_left_out_and_named(series, kind):
    # scanners and archives that do not name an overview image as such
    series.write_all()
    series.write(0, "front.dcm", ImageType=kind, **CORONAL)
    series.write(0, "side.dcm", ImageType=kind, **CORONAL | {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]})
    scan = read_scan(series.folder)
    np.testing.assert_array_equal(scan.hu, series.hu)
    assert scan.remarks == ("left out, across the slices, as localizers are: front.dcm, side.dcm",)


def test_many_images_across_the_slices_are_a_volume_of_their_own(series):
    series.write_all()
    for index in range(4):
        series.write(0, f"front{index}.dcm", **CORONAL)
    with pytest.raises(ScanError, match=r"expected 8 as in 0\.dcm, found 12"):
        read_scan(series.folder)


def test_slices_of_a_steep_gantry_cross_nothing(series):
    lean = [1, 0, 0, 0, 0.8, 0.6]
    series.write_all(ImageOrientationPatient=lambda k: lean if k == 5 else [1, 0, 0, 0, 1, 0])
    with pytest.raises(ScanError, match=r"5\.dcm: ImageOrientationPatient: expected "):
        read_scan(series.folder)


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


def test_copies_in_two_folders_are_named_with_their_folders(series):
    for index in range(6):
        series.write(index, folder=series.folder / "a")
        series.write(index, folder=series.folder / "b")
    found = f"found {series.folder}/a/0.dcm and {series.folder}/b/0.dcm at 0.000"
    with pytest.raises(ScanError, match=f"expected slices at different positions, {re.escape(found)}"):
        read_scan(series.folder)


def test_no_ct_among_several_series_is_refused(series):
    for index in range(6):
        for uid in (OTHER, "1.2.10"):
            series.write(index, f"{uid}.{index}.dcm", SeriesInstanceUID=uid, Modality="MR")
    with pytest.raises(ScanError, match=r"(?s)expected one series, .*1\.2\.9: no description, MR, 6 images"):
        read_scan(series.folder)


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


def test_pipes_and_links_to_pipes_are_not_opened(series):
    series.write_all()
    os.mkfifo(series.folder / "pipe.dcm")
    (series.folder / "linked.dcm").symlink_to(series.folder / "pipe.dcm")
    (series.folder / "device.dcm").symlink_to("/dev/zero")
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)


def test_link_to_the_folder_it_lies_in_is_followed_once(series):
    series.write_all()
    (series.folder / "again").symlink_to(series.folder)
    elsewhere = series.folder.parent / "elsewhere"
    series.folder.rename(elsewhere)
    series.folder.mkdir()
    (series.folder / "linked").symlink_to(elsewhere)
    np.testing.assert_array_equal(read_scan(series.folder).hu, series.hu)
