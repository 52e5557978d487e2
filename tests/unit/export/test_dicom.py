"""DICOM segmentation and report, read back by pydicom, highdicom, SimpleITK and an independent validator."""

import shutil
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_balls import write_enhanced_series
from pydicom.uid import generate_uid

from lungpipe.export.dicom import make_dicom
from lungpipe.export.dicom_source import SourceError, opened_series

NOTICE = "Research use only, not a medical device"


def objects(series, prediction, digests=("0" * 64,)):
    with opened_series(series.folder, series.uid) as source:
        return make_dicom(prediction, source, digests)


@pytest.fixture(scope="module")
def written(directed, tmp_path_factory):
    """Segmentation and report of every direction, as files."""
    _, series, prediction = directed
    folder = tmp_path_factory.mktemp("objects")
    made = objects(series, prediction)
    made.segmentation.save_as(folder / "segmentation.dcm", enforce_file_format=True)
    made.report.save_as(folder / "report.dcm", enforce_file_format=True)
    return folder / "segmentation.dcm", folder / "report.dcm"


def world_of_segment(path, number):
    """The world positions (xyz) of a segment's pixels, by the segmentation's own planes."""
    data = pydicom.dcmread(path)
    shared = data.SharedFunctionalGroupsSequence[0]
    spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    points = []
    for pixels, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        row, column = np.nonzero(pixels)
        points.append(
            origin + np.outer(column * spacing[1], orientation[:3]) + np.outer(row * spacing[0], orientation[3:])
        )
    return np.concatenate(points)


@pytest.mark.parametrize("number", [1, 2])
def test_a_segment_is_where_the_mask_is(directed, written, number):
    _, _, prediction = directed
    points = world_of_segment(written[0], number)
    candidate, crop = prediction.candidates[number - 1], prediction.masks[number - 1]
    distance = np.linalg.norm(points[:, ::-1] - np.array(candidate.center_zyx_mm), axis=1)
    # a pixel belongs to the mask's voxel that holds the pixel's centre
    assert distance.max() <= candidate.diameter_mm / 2 + np.sqrt(3) / 2
    voxels = prediction.volume.grid.to_world(np.argwhere(crop.mask) + np.array(crop.start_zyx_vox))
    np.testing.assert_allclose(points.mean(axis=0)[::-1], voxels.mean(axis=0), atol=0.1)
    index = np.round(prediction.volume.grid.to_index(points[:, ::-1])).astype(int) - crop.start_zyx_vox
    assert crop.mask[tuple(index.T)].all()
    volume_mm3 = len(points) * 0.8 * 0.8 * 1.0
    assert volume_mm3 == pytest.approx(crop.mask.sum(), rel=0.04)


def test_the_report_refers_to_the_slices_that_hold_findings_and_to_the_segmentation(directed, written):
    _, series, _ = directed
    segmentation, report = (pydicom.dcmread(path) for path in written)
    frames = [group.DerivationImageSequence for group in segmentation.PerFrameFunctionalGroupsSequence]
    held = {source.ReferencedSOPInstanceUID for [derived] in frames for source in derived.SourceImageSequence}
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for one in study.ReferencedSeriesSequence
        for instance in one.ReferencedSOPSequence
    }
    assert evidence == held | {segmentation.SOPInstanceUID}
    assert len(held) < len(list(series.folder.rglob("*.dcm")))
    assert "PertinentOtherEvidenceSequence" not in report


def test_pixels_are_those_of_the_mask_on_the_scans_grid(directed, written):
    name, series, prediction = directed
    if name.startswith("tilted"):
        pytest.skip("the scan's grid is upright, the slices are not")
    segmentation = highdicom.seg.segread(written[0])
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(series.folder.iterdir())]
    normal = np.cross(*np.reshape(np.array(headers[0].ImageOrientationPatient, float), (2, 3)))
    headers.sort(key=lambda header: float(np.array(header.ImagePositionPatient, float) @ normal))
    uids = [header.SOPInstanceUID for header in headers]
    pixels = segmentation.get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(pixels, prediction.nodule_mask())


def test_every_frame_names_its_slice(directed, written):
    _, series, _ = directed
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in series.folder.iterdir()]
    positions = {header.SOPInstanceUID: header.ImagePositionPatient for header in headers}
    data = pydicom.dcmread(written[0])
    assert data.FrameOfReferenceUID == headers[0].FrameOfReferenceUID
    for group in data.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        expected = positions[source.ReferencedSOPInstanceUID]
        np.testing.assert_allclose(group.PlanePositionSequence[0].ImagePositionPatient, expected, atol=1e-4)


def test_simpleitk_reads_the_same_pixels(written):
    data = pydicom.dcmread(written[0])
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(written[0]))) > 0, data.pixel_array
    )


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy of dicom3tools")
def test_an_independent_validator_finds_no_error(written):
    for path in written:
        answer = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
        errors = [line for line in answer.stderr.splitlines() if line.startswith("Error")]
        assert errors == []
        assert answer.returncode == 0


def test_segments_and_groups_share_codes_and_tracking(directed, written):
    _, _, prediction = directed
    segmentation, report = highdicom.seg.segread(written[0]), highdicom.sr.srread(written[1])
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups) == segmentation.number_of_segments == 2
    for candidate, group in zip(prediction.candidates, groups, strict=True):
        segment = segmentation.get_segment_description(candidate.number)
        assert group.tracking_uid == segment.tracking_uid
        assert segment.segmented_property_category.value == "49755003"
        assert segment.segmented_property_type == group.finding_type
        assert group.finding_type.meaning == "Nodule"
        assert group.finding_sites[0].value.meaning == "Lung"
        assert group.referenced_segment.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        values = {one.name.value: (one.value, one.unit.value) for one in group.get_measurements()}
        assert values["81827009"] == (candidate.diameter_mm, "mm")
        assert values["118565006"] == (candidate.volume_mm3, "mm3")
        assert values["111012"] == (80.0, "%")
        assert values["RID36042"] == (25.0, "%")
    assert len({group.tracking_uid for group in groups}) == 2


def test_the_author_is_a_device_and_both_say_what_they_are_for(directed, written):
    _, series, _ = directed
    patient = pydicom.dcmread(next(series.folder.iterdir()), stop_before_pixels=True)
    for path in written:
        data = pydicom.dcmread(path)
        assert NOTICE in data.SeriesDescription
        assert (data.PatientName, data.PatientID) == (patient.PatientName, patient.PatientID)
        assert data.StudyInstanceUID == patient.StudyInstanceUID
        assert data.SeriesInstanceUID != patient.SeriesInstanceUID
    assert pydicom.dcmread(written[0]).ContentDescription == NOTICE
    report = highdicom.sr.srread(written[1])
    [observer] = report.content.get_observer_contexts()
    assert observer.observer_type.meaning == "Device"
    for group in report.content.get_volumetric_roi_measurement_groups():
        texts = [item.TextValue for item in group[0].ContentSequence if "TextValue" in item]
        assert NOTICE in texts


def test_ratings_with_a_code_are_in_the_report(write, balls, tmp_path):
    series = write()
    prediction = balls(series, ratings={"subtlety": 4.2, "spiculation": 1.5, "texture": 5.0}, malignancy=None)
    objects(series, prediction).report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    groups = highdicom.sr.srread(tmp_path / "report.dcm").content.get_volumetric_roi_measurement_groups()
    found = {one.name.value: one.value for one in groups[0].get_measurements()}
    assert (found["C45992"], found["C28749"]) == (4.2, 1.5)
    assert "RID36042" not in found


def test_without_candidates_there_are_no_objects(write, balls):
    series = write()
    assert objects(series, balls(series, count=0)) is None


def test_a_mask_between_slices_has_a_pixel(write, balls):
    series = write()
    prediction = balls(series, count=1)
    crop = prediction.masks[0]
    crop.mask[:] = False
    crop.mask[7, 7, 7] = True
    with opened_series(series.folder, series.uid) as source:
        few = type(source)(source.datasets[::5], source.planes[::5], 5.0)
        made = make_dicom(prediction, few)
    assert made.segmentation.pixel_array.sum() == 1


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_source_without_a_required_element_is_named(write, keyword):
    series = write(**{keyword: None})
    with (
        pytest.raises(SourceError, match=f"expected the element {keyword} in the source"),
        opened_series(series.folder, series.uid),
    ):
        pass


def test_elements_that_may_be_empty_may_be_missing(write, balls):
    series = write(PatientName=None, StudyDate=None, AccessionNumber=None)
    assert objects(series, balls(series)).segmentation.PatientName == ""


def test_an_archive_is_read_and_other_files_are_no_dicom(write, balls, tmp_path):
    series = write()
    shutil.make_archive(str(tmp_path / "series"), "zip", series.folder)
    with opened_series(tmp_path / "series.zip", series.uid) as source:
        assert len(source.datasets) == len(source.planes) == 40
    (tmp_path / "a.nii").write_bytes(b"0" * 400)
    for path, uid in ((tmp_path / "a.nii", series.uid), (series.folder, generate_uid())):
        with opened_series(path, uid) as source:
            assert source is None


def test_a_file_of_many_frames_is_a_source_too(balls, tmp_path):
    series = write_enhanced_series(tmp_path / "series")
    prediction = balls(series)
    made = objects(series, prediction)
    made.segmentation.save_as(tmp_path / "segmentation.dcm", enforce_file_format=True)
    for number, crop in enumerate(prediction.masks, start=1):
        points = world_of_segment(tmp_path / "segmentation.dcm", number)
        voxels = prediction.volume.grid.to_world(np.argwhere(crop.mask) + np.array(crop.start_zyx_vox))
        np.testing.assert_allclose(points.mean(axis=0)[::-1], voxels.mean(axis=0), atol=0.1)
    uid = pydicom.dcmread(series.folder / "enhanced.dcm", stop_before_pixels=True).SOPInstanceUID
    frames = list(range(1, 41))
    read = highdicom.seg.segread(tmp_path / "segmentation.dcm")
    pixels = read.get_pixels_by_source_frame(uid, frames, combine_segments=True, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(pixels[::-1], prediction.nodule_mask())
