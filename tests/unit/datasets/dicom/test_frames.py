"""Enhanced CT: files of many frames, written here with pydicom, read as the series of slices that they stand for."""

import numpy as np
import pydicom
import pytest
from dicom_files import SYNTAXES, encode, store, write_ct
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, RLELossless

from lungpipe.datasets.dicom import list_series, read_dicom
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

UID = "1.2.3.4.6"
HU = np.random.default_rng(5).integers(-1024, 1500, (4, 6, 5)).astype(np.int16)
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
FIRST = np.array([-100.0, -80.0, 30.0])


def group_of(elements):
    """Return a functional group that holds these elements, each in its own sequence."""
    sequences = {
        "PixelSpacing": "PixelMeasuresSequence",
        "ImagePositionPatient": "PlanePositionSequence",
        "ImageOrientationPatient": "PlaneOrientationSequence",
        "RescaleSlope": "PixelValueTransformationSequence",
        "RescaleIntercept": "PixelValueTransformationSequence",
        "RescaleType": "PixelValueTransformationSequence",
    }
    group = Dataset()
    for key, value in elements.items():
        if value is None:
            continue
        name = sequences[key]
        if name not in group:
            setattr(group, name, Sequence([Dataset()]))
        setattr(getattr(group, name)[0], key, value)
    return group


def write_enhanced(folder, *, hu=HU, order=None, name="enhanced.dcm", shared=None, frames=None, **changes):
    """Write `hu` (zyx) as one file; `order` is the frames' order in it, `shared` and `frames` change their groups."""
    order = list(range(len(hu))) if order is None else order
    frames = frames or {}
    common = {
        "PixelSpacing": [8.0, 7.0],
        "ImageOrientationPatient": [float(v) for v in np.ravel(AXIAL)],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        **(shared or {}),
    }
    groups = []
    for index in order:
        own = {"ImagePositionPatient": [float(v) for v in FIRST + np.array([0, 0, 7.5]) * index]}
        groups.append(group_of(own | frames.get(index, {})))
    elements = {
        "SeriesInstanceUID": UID,
        "Rows": hu.shape[1],
        "Columns": hu.shape[2],
        "NumberOfFrames": len(order),
        "SharedFunctionalGroupsSequence": Sequence([group_of(common)]),
        "PerFrameFunctionalGroupsSequence": Sequence(groups),
        "PixelData": store(hu[[i % len(hu) for i in order]]),
        **changes,
    }
    return write_ct(folder / name, EnhancedCTImageStorage, f"{UID}.1", elements)


def check_whole(scan):
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.series_uid == UID
    assert scan.grid.spacing_zyx_mm == (7.5, 8.0, 7.0)
    assert scan.grid.origin_zyx_mm == (30.0, -80.0, -100.0)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_frames_are_sorted_along_the_normal_whatever_their_order(tmp_path, order):
    path = write_enhanced(tmp_path, order=order)
    check_whole(read_scan(tmp_path))
    check_whole(read_scan(path))
    assert list_series(tmp_path) == {UID: 1}


def test_both_photometric_kinds_hold_the_same_hu(tmp_path):
    write_enhanced(tmp_path, PhotometricInterpretation="MONOCHROME1")
    check_whole(read_dicom(tmp_path))


def test_a_frames_own_rescale_goes_before_the_shared_one(tmp_path):
    write_enhanced(tmp_path, frames={2: {"RescaleSlope": 2, "RescaleIntercept": -1400}})
    expected = HU.astype(int)
    expected[2] = (expected[2] + 1024) * 2 - 1400
    np.testing.assert_array_equal(read_dicom(tmp_path).hu, expected)


def test_groups_that_repeat_in_every_frame_what_could_be_shared(tmp_path):
    own = {"PixelSpacing": [8.0, 7.0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "RescaleIntercept": -1024}
    own |= {"RescaleSlope": 1}
    nothing = dict.fromkeys((*own, "RescaleType"))
    write_enhanced(tmp_path, shared=nothing, frames=dict.fromkeys(range(4), own))
    check_whole(read_dicom(tmp_path))


def test_a_series_in_several_files_is_one_volume(tmp_path):
    write_enhanced(tmp_path, order=[1, 3], name="odd.dcm")
    write_enhanced(tmp_path, order=[2, 0], name="even.dcm")
    check_whole(read_dicom(tmp_path))


def test_single_frames_with_groups_are_slices(tmp_path):
    for index in range(4):
        write_enhanced(tmp_path, order=[index], name=f"{index}.dcm")
    check_whole(read_dicom(tmp_path))


def test_compressed_frames(tmp_path):
    path = write_enhanced(tmp_path, order=[2, 0, 3, 1])
    data = pydicom.dcmread(path)
    data.compress(RLELossless)
    data.save_as(path)
    check_whole(read_dicom(tmp_path))


def test_oblique_frames_lie_where_the_standard_says(tmp_path):
    row, column = np.array([0.8, 0.6, 0.0]), np.array([-0.6, 0.8, 0.0])
    write_enhanced(tmp_path, shared={"ImageOrientationPatient": [*row, *column]})
    found = read_dicom(tmp_path).grid.to_world((3, 2, 1))[::-1]
    # PS3.3 C.7.6.2.1.1: row vector times column index, column vector times row index
    expected = FIRST + [0, 0, 3 * 7.5] + row * 7.0 * 1 + column * 8.0 * 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


BAD = {
    "gap": ({"order": [0, 1, 3]}, r"apart, found 15\.000 mm between enhanced\.dcm frame 2 and enhanced\.dcm frame 3"),
    "duplicate": (
        {"order": [0, 1, 2, 2, 3]},
        r"different positions, found enhanced\.dcm frame 3 and enhanced\.dcm frame 4",
    ),
    "single frame": ({"order": [0]}, "at least two slices, found 1"),
    "tilt": (
        {"frames": {k: {"ImagePositionPatient": [0.0, 0.5 * k * k, 7.5 * k]} for k in range(4)}},
        r"enhanced\.dcm frame 4: .*tilted gantry",
    ),
    "another orientation": (
        {"frames": {1: {"ImageOrientationPatient": [0, 1, 0, -1, 0, 0]}}},
        r"enhanced\.dcm frame 2: ImageOrientationPatient: expected",
    ),
    "another spacing": ({"frames": {3: {"PixelSpacing": [8.0, 8.0]}}}, r"frame 4: PixelSpacing: expected"),
    "no position": (
        {"frames": {2: {"ImagePositionPatient": None}}},
        r"frame 3: expected the element ImagePositionPatient, found none",
    ),
    "no spacing": ({"shared": {"PixelSpacing": None}}, "frame 1: expected the element PixelSpacing, found none"),
    "no rescale": ({"shared": {"RescaleSlope": None}}, "frame 1: expected the element RescaleSlope, found none"),
    "slope of zero": ({"frames": {1: {"RescaleSlope": 0, "RescaleIntercept": 0}}}, "frame 2: expected a finite"),
    "not HU": ({"shared": {"RescaleType": "MGML"}}, "frame 1: RescaleType: expected HU or HU_MOD, found MGML"),
    "beyond int16": ({"frames": {1: {"RescaleSlope": 1, "RescaleIntercept": 60000}}}, "frame 2: expected HU within"),
    "fewer groups": ({"NumberOfFrames": 5}, "expected a functional group for each of 5 frames, found 4"),
    "cut pixels": ({"PixelData": b"\0" * 60}, r"enhanced\.dcm: expected 240 bytes of pixels \(4 x 6 x 5\), found 60"),
    "rows that lie": ({"Rows": 5}, r"enhanced\.dcm: expected 200 bytes of pixels \(4 x 5 x 5\), found 240"),
    "another modality": ({"Modality": "MR"}, "Modality: expected CT, found MR"),
    "colour": ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation: expected MONOCHROME1 or"),
    "no groups": ({"PerFrameFunctionalGroupsSequence": None}, "NumberOfFrames: expected 1, found 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_are_refused_and_named(tmp_path, name):
    changes, message = BAD[name]
    write_enhanced(tmp_path, **changes)
    with pytest.raises(ScanError, match=message) as caught:
        read_dicom(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_is_no_dicom(tmp_path):
    (tmp_path / "x.dcm").write_text("text")
    with pytest.raises(ScanError, match=r"x\.dcm: expected a DICOM file"):
        read_scan(tmp_path / "x.dcm")


@pytest.mark.parametrize("kind", ["JPEG lossless", "JPEG lossless, first order", "JPEG 2000"])
def test_frames_of_the_jpeg_family(tmp_path, kind):
    # GDCM's encoder fails where nothing can be compressed
    z, y, x = np.ogrid[:4, :48, :64]
    hu = (30 * z + 9 * y + 11 * x - 900).astype(np.int16)
    order = [2, 0, 3, 1]
    path = write_enhanced(tmp_path, hu=hu, order=order)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID, compressor = SYNTAXES[kind]
    data.PixelData = encapsulate([encode((hu[index] + 1024).astype("<u2"), compressor) for index in order])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    np.testing.assert_array_equal(read_dicom(tmp_path).hu, hu)


def test_deflated_frames(tmp_path):
    path = write_enhanced(tmp_path)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    check_whole(read_dicom(tmp_path))


NO_RESCALE = dict.fromkeys(("RescaleSlope", "RescaleIntercept", "RescaleType"))


def test_stored_values_are_hu_where_no_frame_has_a_rescale(tmp_path):
    signed = {"PixelRepresentation": 1, "PixelData": HU.astype("<i2").tobytes()}
    write_enhanced(tmp_path, shared=NO_RESCALE, **signed)
    scan = read_dicom(tmp_path)
    check_whole(scan)
    assert scan.remarks == ("no rescale is given: the stored values are taken for HU",)


def test_stored_values_that_cannot_be_hu_are_refused(tmp_path):
    write_enhanced(tmp_path, shared=NO_RESCALE)
    with pytest.raises(ScanError, match="expected HU with air"):
        read_dicom(tmp_path)


def test_a_rescale_in_some_frames_only_is_refused(tmp_path):
    own = {1: {"RescaleSlope": 1, "RescaleIntercept": -1024}}
    write_enhanced(tmp_path, shared=NO_RESCALE, frames=own)
    with pytest.raises(ScanError, match="frame 1: expected the element RescaleSlope, found none"):
        read_dicom(tmp_path)


def test_rescaled_values_of_an_unspecified_type_are_hu_by_their_values(tmp_path):
    write_enhanced(tmp_path, shared={"RescaleType": "US"})
    scan = read_dicom(tmp_path)
    check_whole(scan)
    assert scan.remarks == ("RescaleType is US (unspecified): the rescaled values are taken for HU",)


def test_padding_of_frames(tmp_path):
    stored = (HU.astype(int) + 1024).astype("<u2")
    stored[:, 0] = 63536
    write_enhanced(tmp_path, PixelData=stored.tobytes(), PixelPaddingValue=63536)
    expected = HU.copy()
    expected[:, 0] = -1024
    np.testing.assert_array_equal(read_dicom(tmp_path).hu, expected)
