"""DICOM series: written slice by slice here, read whole, and refused where they are not one regular volume."""

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

from lungpipe.datasets.dicom import list_series, read_dicom
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

UID = "1.2.3.4.5"
RNG = np.random.default_rng(3)
HU = RNG.integers(-1024, 1500, (4, 6, 5)).astype(np.int16)
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def write_slice(folder, index, hu=None, name=None, orientation=AXIAL, **changes):
    """Write slice `index` of the series; `changes` replace elements (None drops one)."""
    normal = np.cross(*orientation)
    position = np.array([-100.0, -80.0, 30.0]) + normal * 7.5 * index
    plane = HU[index] if hu is None else hu
    elements = {
        "SeriesInstanceUID": UID,
        "Rows": plane.shape[0],
        "Columns": plane.shape[1],
        "PixelSpacing": [8.0, 7.0],
        "ImagePositionPatient": [float(round(v, 6)) for v in position],
        "ImageOrientationPatient": [float(round(v, 8)) for v in np.ravel(orientation)],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PixelData": store(plane),
        **changes,
    }
    path = folder / (name or f"{7 - index:03d}.dcm")
    return write_ct(path, CTImageStorage, f"{UID}.{index}", elements)


@pytest.fixture
def folder(tmp_path):
    for index in range(4):
        write_slice(tmp_path, index)
    return tmp_path


def test_slices_are_sorted_along_the_normal_whatever_their_names(folder):
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.series_uid == UID
    assert scan.grid.spacing_zyx_mm == (7.5, 8.0, 7.0)
    assert scan.grid.origin_zyx_mm == (30.0, -80.0, -100.0)
    assert scan.grid.is_axis_aligned


def test_notes_beside_the_slices_are_no_slices(folder):
    (folder / "readings.xml").write_text("<xml/>")
    (folder / ".DS_Store").write_bytes(b"\0")
    np.testing.assert_array_equal(read_dicom(folder).hu, HU)


@pytest.mark.parametrize(
    "orientation",
    [
        ((-1.0, 0, 0), (0, -1.0, 0)),
        ((0, 1.0, 0), (0, 0, -1.0)),
        ((0.8, 0.6, 0), (-0.6, 0.8, 0)),
        ((1.0, 0, 0), (0, 0.8, 0.6)),
    ],
    ids=["prone", "sagittal", "rotated", "oblique"],
)
def test_world_of_every_orientation(tmp_path, orientation):
    paths = [write_slice(tmp_path, index, orientation=orientation) for index in range(4)]
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(scan.hu, HU)
    for index, row, column in ((0, 0, 0), (3, 5, 4), (2, 1, 3)):
        # DICOM PS3.3 C.7.6.2.1.1: row vector times column index, column vector times row index
        header = pydicom.dcmread(paths[index])
        along_row, along_column = np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float)
        expected = np.array(header.ImagePositionPatient, float) + along_row * 7.0 * column + along_column * 8.0 * row
        np.testing.assert_allclose(scan.grid.to_world((index, row, column))[::-1], expected, atol=1e-5)


def test_dicom_and_metaimage_of_the_same_scan_agree(folder):
    scan = read_dicom(folder)
    image = SimpleITK.GetImageFromArray(scan.hu)
    image.SetSpacing(scan.grid.spacing_xyz_mm)
    image.SetOrigin(scan.grid.origin_xyz_mm)
    SimpleITK.WriteImage(image, str(folder / "same.mhd"))
    same = read_scan(folder / "same.mhd")
    np.testing.assert_array_equal(same.hu, scan.hu)
    np.testing.assert_allclose(same.grid.to_world((3, 2, 1)), scan.grid.to_world((3, 2, 1)), atol=1e-4)


def test_both_photometric_kinds_hold_the_same_hu(tmp_path):
    for index in range(4):
        write_slice(tmp_path, index, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_dicom(tmp_path).hu, HU)


def test_signed_pixels_and_a_fractional_slope(tmp_path):
    stored = np.arange(-600, 300, 30, dtype="<i2").reshape(6, 5)
    for index in range(4):
        write_slice(
            tmp_path, index, PixelData=stored.tobytes(), PixelRepresentation=1, RescaleSlope=1.5, RescaleIntercept=-0.25
        )
    np.testing.assert_array_equal(read_dicom(tmp_path).hu[2], np.rint(stored * 1.5 - 0.25))


def test_several_series_are_named_or_chosen(folder):
    for index in range(4):
        write_slice(folder, index, name=f"other{index}.dcm", SeriesInstanceUID="1.2.9", hu=HU[index][::-1])
    assert list_series(folder) == {UID: 4, "1.2.9": 4}
    with pytest.raises(ScanError, match=r"expected one series.*1\.2\.3\.4\.5, 1\.2\.9"):
        read_dicom(folder)
    np.testing.assert_array_equal(read_dicom(folder, "1.2.9").hu, HU[:, ::-1])
    with pytest.raises(ScanError, match=r"expected series 7\.7, found 1\.2"):
        read_dicom(folder, "7.7")


BAD_SLICES = {
    "another modality": ({"Modality": "MR"}, "Modality: expected CT, found MR"),
    "colour": ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation: expected MONOCHROME1"),
    "frames": ({"NumberOfFrames": 3}, "NumberOfFrames: expected 1, found 3"),
    "another matrix": ({"Rows": 5}, "Rows: expected"),
    "another spacing": ({"PixelSpacing": [8.0, 8.0]}, "PixelSpacing: expected"),
    "another orientation": ({"ImageOrientationPatient": [0, 1, 0, -1, 0, 0]}, "ImageOrientationPatient: expected"),
    "no position": ({"ImagePositionPatient": None}, "expected the element ImagePositionPatient, found none"),
    "no slope": ({"RescaleSlope": None}, "expected the element RescaleSlope, found none"),
    "slope of zero": ({"RescaleSlope": 0}, "a finite rescale that is not 0"),
    "beyond int16": ({"RescaleIntercept": 60000}, "expected HU within int16"),
    "cut pixels": ({"PixelData": b"\0\0"}, r"expected 60 bytes of pixels \(1 x 6 x 5\), found 2"),
    "compressed in an unknown way": ({"BitsAllocated": 12}, "BitsAllocated: expected 8 or 16 or 32, found 12"),
}


@pytest.mark.parametrize("name", BAD_SLICES)
def test_bad_slice_is_refused_and_named(folder, name):
    changes, message = BAD_SLICES[name]
    write_slice(folder, 2, **changes)
    with pytest.raises(ScanError, match=message) as caught:
        read_dicom(folder)
    assert "005.dcm" in str(caught.value)


def test_missing_slice_is_named(folder):
    (folder / "006.dcm").unlink()
    with pytest.raises(ScanError, match=r"7\.500 mm apart, found 15\.000 mm between 007\.dcm and 005\.dcm"):
        read_dicom(folder)


def test_duplicate_slice_is_named(folder):
    write_slice(folder, 2, name="copy.dcm")
    with pytest.raises(ScanError, match=r"different positions, found 005\.dcm and copy\.dcm"):
        read_dicom(folder)


def test_uneven_tilt_is_refused(tmp_path):
    for index in range(4):
        write_slice(tmp_path, index, ImagePositionPatient=[0.0, -80.0 + 0.5 * index**2, 7.5 * index])
    with pytest.raises(ScanError, match="tilted gantry"):
        read_dicom(tmp_path)


def test_single_slice_and_empty_folder(tmp_path):
    with pytest.raises(ScanError, match="expected DICOM files, found none"):
        read_scan(tmp_path)
    write_slice(tmp_path, 0)
    with pytest.raises(ScanError, match="at least two slices, found 1"):
        read_scan(tmp_path)


def test_text_named_dcm_is_refused(folder):
    (folder / "009.dcm").write_text("not DICOM at all")
    with pytest.raises(ScanError, match=r"009\.dcm: expected a DICOM file"):
        read_dicom(folder)


@pytest.mark.parametrize(("kind", "num_remarks"), [("US", 1), (None, 0), ("", 0), ("HU", 0), ("hu", 0), ("HU_MOD", 0)])
def test_rescale_types_of_hu(tmp_path, kind, num_remarks):
    for index in range(4):
        write_slice(tmp_path, index, RescaleType=kind)
    scan = read_dicom(tmp_path)
    np.testing.assert_array_equal(scan.hu, HU)
    assert len(scan.remarks) == num_remarks


def test_unspecified_type_of_values_that_cannot_be_hu_is_refused(tmp_path):
    for index in range(4):
        write_slice(tmp_path, index, RescaleType="US", RescaleIntercept=0)
    with pytest.raises(ScanError, match="expected HU with air"):
        read_dicom(tmp_path)
