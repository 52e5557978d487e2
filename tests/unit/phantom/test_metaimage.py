import numpy as np
import pytest
import SimpleITK

from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage

GRID = Grid((2, 3, 4), (2.5, 0.703125, 0.703125), (-340.25, 12.5, -195.0), ((1, 0, 0), (0, -1, 0), (0, 0, -1)))
HU = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 1000


def test_the_header_is_luna16s(tmp_path):
    write_metaimage(HU, GRID, tmp_path / "1.2.3.mhd")
    assert (tmp_path / "1.2.3.mhd").read_text() == (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
        "TransformMatrix = -1 0 0 0 -1 0 0 0 1\nOffset = -195 12.5 -340.25\nCenterOfRotation = 0 0 0\n"
        "AnatomicalOrientation = RAI\nElementSpacing = 0.703125 0.703125 2.5\nDimSize = 4 3 2\n"
        "ElementType = MET_SHORT\nElementDataFile = 1.2.3.raw\n"
    )
    assert (tmp_path / "1.2.3.raw").read_bytes() == HU.astype("<i2").tobytes()


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_simpleitk_reads_the_same_image(tmp_path, is_compressed, dtype):
    path = tmp_path / "2.25.7.mhd"
    array = np.abs(HU[:, ::-1]).astype(dtype)
    write_metaimage(array, GRID, path, is_compressed=is_compressed)
    image = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), array)
    read = Grid.from_xyz(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    assert read == GRID
    assert path.with_suffix(".zraw").exists() == is_compressed


@pytest.mark.parametrize("array", [HU[:1], HU.astype(np.float32)])
def test_another_shape_or_type_is_refused_and_nothing_is_written(tmp_path, array):
    with pytest.raises(ValueError, match=r"9\.mhd: expected an array \(2, 3, 4\) of int16 or uint8, found"):
        write_metaimage(array, GRID, tmp_path / "9.mhd")
    assert list(tmp_path.iterdir()) == []
