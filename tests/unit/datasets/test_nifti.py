import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

HU = np.arange(60, dtype=np.int16).reshape(3, 4, 5) * 20 - 1000


def write(path, array=HU, is_vector=False):
    image = SimpleITK.GetImageFromArray(array, isVector=is_vector)
    if image.GetDimension() == 3:
        image.SetSpacing((0.7, 0.8, 2.5))
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
    np.testing.assert_allclose(scan.grid.to_world((1, 2, 3)), (-27.5, 18.9, -12.1), atol=1e-4)


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
    with pytest.raises(ScanError, match=r"a\.nii: expected a NIfTI image"):
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
    content[112:120] = np.array([2.0, -24.0], "<f4").tobytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(read_scan(path).hu, HU * 2 - 24)
