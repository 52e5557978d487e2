import gzip
import struct

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

HU = np.arange(60, dtype=np.int16).reshape(3, 4, 5) * 20 - 1000


def write(path, array=HU, is_vector=False):
    image = SimpleITK.GetImageFromArray(array, isVector=is_vector)
    if image.GetDimension() == 3:
        image.SetSpacing((7.0, 8.0, 12.5))
        image.SetOrigin((-10.0, 20.5, -30.0))
        image.SetDirection((-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_every_stored_type_gives_the_same_scan(tmp_path, ending, dtype):
    scan = read_scan(write(tmp_path / f"a.b{ending}", HU.astype(dtype)))
    assert scan.series_uid == "a.b"
    np.testing.assert_array_equal(scan.hu, HU)
    # nibabel's RAS became LPS: the flipped axes run against the world again
    np.testing.assert_allclose(scan.grid.to_world((1, 2, 3)), (-17.5, 4.5, -31.0), atol=1e-4)


@pytest.mark.parametrize(
    ("array", "is_vector", "message"),
    [
        (np.full((3, 4, 5), np.nan, np.float32), False, "finite HU within int16"),
        (np.full((3, 4, 5), 1e6, np.float32), False, "finite HU within int16"),
        (np.full((3, 4, 5), 40000, np.int32), False, "finite HU within int16"),
        (HU[0], False, "three dimensions"),
        (np.zeros((3, 4, 5, 3), np.uint8), True, "three dimensions"),
        (HU + 1024, False, "expected HU with air"),
    ],
    ids=["nan", "large", "unsigned", "flat", "colour", "offset"],
)
def test_what_is_no_ct_is_refused(tmp_path, array, is_vector, message):
    with pytest.raises(ScanError, match=message):
        read_scan(write(tmp_path / "a.nii", array, is_vector))


@pytest.mark.parametrize("content", [b"", b"text\n" * 100])
def test_what_is_no_nifti_is_refused(tmp_path, content):
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ScanError, match=r"a\.nii: expected a NIfTI-1 header of 348 bytes"):
        read_scan(tmp_path / "a.nii")


def test_truncated_nifti_is_refused(tmp_path):
    path = write(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ScanError, match="expected a whole NIfTI image"):
        read_scan(path)


def test_truncated_gzip_is_refused(tmp_path):
    path = write(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScanError, match="NIfTI image"):
        read_scan(path)


def test_slope_and_intercept_of_the_header(tmp_path):
    path = write(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([1.5, 10.0], "<f4").tobytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(read_scan(path).hu, HU * 1.5 + 10)


ORIENTATIONS = {
    "supine": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "mirrored": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    @ np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("forms", [("qform",), ("sform",), ("qform", "sform")], ids="+".join)
def test_every_orientation_lies_where_simpleitk_put_it(tmp_path, name, forms):
    image = SimpleITK.GetImageFromArray(HU)
    image.SetSpacing((7.0, 8.0, 12.5))
    image.SetOrigin((-10.0, 20.5, -30.0))
    image.SetDirection(ORIENTATIONS[name].ravel().tolist())
    path = tmp_path / "a.nii"
    SimpleITK.WriteImage(image, str(path))
    content = bytearray(path.read_bytes())
    for offset, form in ((252, "qform"), (254, "sform")):
        if form not in forms:
            content[offset : offset + 2] = b"\0\0"
    path.write_bytes(content)
    grid = read_scan(path).grid
    for index in ((0, 0, 0), (4, 3, 2), (1, 2, 0)):
        expected = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(grid.to_world(index[::-1])[::-1], expected, atol=1e-4)


def test_big_endian_file(tmp_path):
    path = write(tmp_path / "a.nii")
    content = path.read_bytes()
    header = np.frombuffer(content[:348], np.uint8).copy()
    # every field of two or four bytes in nifti1.h turns around; text and single bytes stay
    for start, end, width in ((0, 4, 4), (32, 36, 4), (36, 38, 2), (40, 56, 2), (56, 68, 4), (68, 76, 2), (76, 120, 4)):
        header[start:end] = header[start:end].reshape(-1, width)[:, ::-1].ravel()
    for start, end, width in ((120, 122, 2), (124, 148, 4), (252, 256, 2), (256, 328, 4)):
        header[start:end] = header[start:end].reshape(-1, width)[:, ::-1].ravel()
    path.write_bytes(header.tobytes() + content[348:352] + HU.astype(">i2").tobytes())
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.hu.dtype.isnative
    np.testing.assert_allclose(scan.grid.to_world((1, 2, 3)), (-17.5, 4.5, -31.0), atol=1e-4)


# nifti1.h and nifti2.h: first byte and type of each field in either version
FIELDS = {
    "datatype": (70, "h", 12, "h"),
    "bitpix": (72, "h", 14, "h"),
    "dim": (40, "8h", 16, "8q"),
    "pixdim": (76, "8f", 104, "8d"),
    "scl_slope": (112, "f", 176, "d"),
    "scl_inter": (116, "f", 184, "d"),
    "qform_code": (252, "h", 344, "i"),
    "sform_code": (254, "h", 348, "i"),
    "quatern": (256, "3f", 352, "3d"),
    "qoffset": (268, "3f", 376, "3d"),
    "srow": (280, "12f", 400, "12d"),
    "xyzt_units": (123, "B", 500, "i"),
}


def as_nifti2(content, order="<", voxels=None, **changes):
    """Return the bytes of a NIfTI-1 file of 352 bytes of header as NIfTI-2; `changes` replace fields."""
    header = bytearray(544)
    struct.pack_into(f"{order}i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into(f"{order}q", header, 168, 544)
    for name, (place, form, new_place, new_form) in FIELDS.items():
        values = changes.get(name) or struct.unpack_from(f"<{form}", content, place)
        struct.pack_into(f"{order}{new_form}", header, new_place, *values)
    return bytes(header) + (content[352:] if voxels is None else voxels)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_nifti_2_is_the_scan_that_nifti_1_is(tmp_path, name):
    image = SimpleITK.GetImageFromArray(HU)
    image.SetSpacing((7.0, 8.0, 12.5))
    image.SetOrigin((-10.0, 20.5, -30.0))
    image.SetDirection(ORIENTATIONS[name].ravel().tolist())
    SimpleITK.WriteImage(image, str(tmp_path / "one.nii"))
    content = (tmp_path / "one.nii").read_bytes()
    (tmp_path / "two.nii").write_bytes(as_nifti2(content))
    (tmp_path / "big.nii").write_bytes(as_nifti2(content, ">", HU.astype(">i2").tobytes()))
    (tmp_path / "packed.nii.gz").write_bytes(gzip.compress(as_nifti2(content)))
    expected = read_scan(tmp_path / "one.nii").grid
    for file in ("two.nii", "big.nii", "packed.nii.gz"):
        scan = read_scan(tmp_path / file)
        np.testing.assert_array_equal(scan.hu, HU)
        assert scan.grid.shape_zyx == expected.shape_zyx
        for index in ((0, 0, 0), (2, 3, 4), (0, 2, 1)):
            np.testing.assert_allclose(scan.grid.to_world(index), expected.to_world(index), atol=1e-4)


@pytest.mark.parametrize("last", [1, 0])
def test_a_fourth_dimension_of_one_time_point_is_dropped(tmp_path, last):
    path = write(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<8h", content, 40, 4, 5, 4, 3, last, 0, 0, 0)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_scan(path).hu, HU)


def test_rescale_and_one_time_point_of_nifti_2(tmp_path):
    content = write(tmp_path / "a.nii").read_bytes()
    dim, pixdim = (4, 5, 4, 3, 1, 1, 1, 1), (1, 7, 8, 12.5, 1, 0, 0, 0)
    packed = as_nifti2(content, dim=dim, pixdim=pixdim, scl_slope=(1.5,), scl_inter=(10.0,))
    (tmp_path / "b.nii").write_bytes(packed)
    np.testing.assert_array_equal(read_scan(tmp_path / "b.nii").hu, HU * 1.5 + 10)


def test_time_points_of_nifti_2_are_refused(tmp_path):
    content = write(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii").write_bytes(as_nifti2(content, dim=(4, 5, 4, 3, 2, 1, 1, 1)) + HU.tobytes())
    with pytest.raises(ScanError, match=r"expected a NIfTI image of three dimensions, found \[5, 4, 3, 2\]"):
        read_scan(tmp_path / "b.nii")
