"""A file of a format that is not read is refused with a way to go on, and the way leads on."""

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

HU = np.arange(60, dtype=np.int16).reshape(3, 4, 5) * 20 - 1000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CT.tar.gz", r"found \.gz; unpack the archive \(tar -xf\), and name the folder$"),
        ("ct.TAR", r"found \.TAR; unpack the archive \(tar -xf\), and name the folder$"),
        ("ct.7z", r"found \.7z; unpack it, and name what was in it$"),
        ("ct.mha.gz", r"found \.gz; unpack it, and name what was in it$"),
        ("ct.hdr", r"found \.hdr; SimpleITK converts it: "),
        ("notes.txt", r"found \.txt$"),
        ("notes", r"found no ending$"),
    ],
)
def test_another_format_is_refused_with_a_way_to_go_on(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"some bytes that are no scan of any format" * 10)
    wanted = r"expected \.mhd, \.mha, \.nii, \.nii\.gz, \.zip, \.dcm or a DICOM folder, "
    with pytest.raises(ScanError, match=wanted + message):
        read_scan(tmp_path / name)


def test_a_converted_nrrd_is_the_scan(tmp_path):
    image = SimpleITK.GetImageFromArray(HU)
    image.SetSpacing((7.0, 8.0, 12.5))
    image.SetOrigin((-10.0, 20.5, -30.0))
    path = tmp_path / "ct.nrrd"
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    with pytest.raises(ScanError, match=r"found \.nrrd; SimpleITK converts it: (.*)$") as refused:
        read_scan(path)
    advice = str(refused.value).partition("converts it: ")[2].replace("scan.nii.gz", f"{tmp_path}/scan.nii.gz")
    eval(advice, {"SimpleITK": SimpleITK, "path": str(path)})  # noqa: S307
    scan = read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(scan.hu, HU)
    np.testing.assert_allclose(scan.grid.to_world((1, 2, 3)), (-17.5, 36.5, 11.0), atol=1e-4)
