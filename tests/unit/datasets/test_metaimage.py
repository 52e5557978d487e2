"""MetaImage: what SimpleITK writes comes back to the voxel, and a table of malformed files is refused by name."""

import os
import zlib

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.metaimage import read_metaimage
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.100"
SHAPE = (3, 4, 5)
HU = np.arange(60, dtype=np.int16).reshape(SHAPE) * 20 - 1000
HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "-10 20.5 -30",
    "ElementSpacing": "7 8 12.5",
    "DimSize": "5 4 3",
    "ElementType": "MET_SHORT",
    "ElementDataFile": f"{UID}.raw",
}


def write_scan(folder, content=None, suffix=".mhd", **changes):
    """Write a scan; `changes` replace header fields (None drops one), `content` the voxels' bytes."""
    fields = {key: value for key, value in {**HEADER, **changes}.items() if value is not None}
    fields["ElementDataFile"] = fields.pop("ElementDataFile", None)
    lines = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    path = folder / f"{UID}{suffix}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    voxels = HU.astype("<i2").tobytes() if content is None else content
    (folder / f"{UID}.raw").write_bytes(voxels)
    return path


def test_values_and_geometry_by_hand(tmp_path):
    scan = read_metaimage(write_scan(tmp_path))
    assert scan.series_uid == UID
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.grid == Grid(SHAPE, (12.5, 8.0, 7.0), (-30.0, 20.5, -10.0))
    assert scan.hu.flags.writeable


DIRECTIONS = {
    "identity": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "permuted": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    @ np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]),
}


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("suffix", [".mhd", ".mha"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_reads_what_simpleitk_writes(tmp_path, name, suffix, is_compressed):
    image = SimpleITK.GetImageFromArray(HU)
    image.SetSpacing((7.0, 8.0, 12.5))
    image.SetOrigin((-10.0, 20.5, -30.0))
    image.SetDirection(DIRECTIONS[name].ravel().tolist())
    path = tmp_path / f"{UID}{suffix}"
    SimpleITK.WriteImage(image, str(path), is_compressed)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.hu, HU)
    for index in ((0, 0, 0), (4, 3, 2), (1, 2, 0)):
        expected = SimpleITK.ReadImage(str(path)).TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(scan.grid.to_world(index[::-1])[::-1], expected, atol=1e-4)


def test_big_endian_gives_the_same_hu(tmp_path):
    path = write_scan(tmp_path, HU.astype(">i2").tobytes(), BinaryDataByteOrderMSB="True")
    np.testing.assert_array_equal(read_metaimage(path).hu, HU)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), HU)


def test_header_size_is_skipped(tmp_path):
    path = write_scan(tmp_path, b"12345678" + HU.tobytes(), HeaderSize="8")
    np.testing.assert_array_equal(read_metaimage(path).hu, HU)


def test_position_that_is_written_twice_the_same(tmp_path):
    path = write_scan(tmp_path)
    offset = next(line.partition("=")[2] for line in path.read_text().splitlines() if line.startswith("Offset"))
    twice = write_scan(tmp_path, Position=f" {offset.strip()} ")
    assert read_metaimage(twice).grid == read_metaimage(path).grid


def test_names_with_spaces_and_umlauts(tmp_path):
    folder = tmp_path / "Müller scans"
    folder.mkdir()
    path = write_scan(folder, ElementDataFile="Lunge größe.raw")
    (folder / f"{UID}.raw").rename(folder / "Lunge größe.raw")
    np.testing.assert_array_equal(read_scan(path).hu, HU)


PACKED = zlib.compress(HU.tobytes())
ZIPPED = {"CompressedData": "True", "CompressedDataSize": str(len(PACKED))}
TYPES = "ElementType: expected MET_DOUBLE or MET_FLOAT or MET_INT or MET_LONG or MET_LONG_LONG or MET_SHORT"
MALFORMED = {
    "no dimensions": ({"NDims": None}, None, "NDims: expected 3, found nothing"),
    "two dimensions": ({"NDims": "2"}, None, "NDims: expected 3, found 2"),
    "four dimensions": ({"NDims": "4"}, None, "NDims: expected 3, found 4"),
    "not an image": ({"ObjectType": "Mesh"}, None, "ObjectType: expected Image"),
    "unsigned": ({"ElementType": "MET_USHORT"}, None, f"{TYPES}, found MET_USHORT"),
    "bytes": ({"ElementType": "MET_UCHAR"}, None, f"{TYPES}, found MET_UCHAR"),
    "floats": ({"ElementType": "MET_FLOAT"}, None, "expected .* bytes of voxels, found"),
    "no type": ({"ElementType": None}, None, f"{TYPES}, found nothing"),
    "rgb": ({"ElementNumberOfChannels": "3"}, None, "ElementNumberOfChannels: expected 1, found 3"),
    "text voxels": ({"BinaryData": "False"}, None, "BinaryData: expected True"),
    "zero size": ({"DimSize": "5 0 3"}, None, "DimSize: expected three positive sizes"),
    "negative size": ({"DimSize": "5 -4 3"}, None, "DimSize: expected three positive sizes"),
    "fractional size": ({"DimSize": "5 4.5 3"}, None, "DimSize: expected three positive sizes"),
    "two sizes": ({"DimSize": "5 4"}, None, "DimSize: expected three positive sizes"),
    "huge size": ({"DimSize": "5 4 9999999999"}, None, "DimSize: expected three positive sizes"),
    "no size": ({"DimSize": None}, None, "expected the field DimSize"),
    "size too large": ({"DimSize": "5 4 4"}, None, "expected 160 bytes of voxels, found 120"),
    "size too small": ({"DimSize": "5 4 2"}, None, "expected 80 bytes of voxels, found 120"),
    "single slice": ({"DimSize": "5 4 1"}, HU[:1].tobytes(), "expected at least 2 voxels per axis"),
    "no spacing": ({"ElementSpacing": None}, None, "expected the field ElementSpacing"),
    "zero spacing": ({"ElementSpacing": "7 0 12.5"}, None, "three positive lengths"),
    "negative spacing": ({"ElementSpacing": "7 8 -12.5"}, None, "three positive lengths"),
    "NaN spacing": ({"ElementSpacing": "nan 8 12.5"}, None, "ElementSpacing: expected 3 finite numbers"),
    "infinite spacing": ({"ElementSpacing": "inf 8 12.5"}, None, "ElementSpacing: expected 3 finite numbers"),
    "spacing in words": ({"ElementSpacing": "one 8 12.5"}, None, "ElementSpacing: expected 3 finite numbers"),
    "spacing with an underscore": ({"ElementSpacing": "7 1_2 12.5"}, None, "ElementSpacing: expected 3 finite numbers"),
    "spacing in another script": ({"ElementSpacing": "7 ٨ 12.5"}, None, "ElementSpacing: expected 3 finite numbers"),
    "size in another script": ({"DimSize": "10 ٨ 6"}, None, "DimSize: expected three positive sizes"),
    "NaN origin": ({"Offset": "nan 0 0"}, None, "Offset: expected 3 finite numbers"),
    "short origin": ({"Offset": "0 0"}, None, "Offset: expected 3 finite numbers"),
    "two origins": ({"Position": "0 0 0"}, None, "expected one of Offset, Position, Origin"),
    "singular matrix": ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, None, "orthonormal"),
    "scaled matrix": ({"TransformMatrix": "2 0 0 0 1 0 0 0 1"}, None, "orthonormal"),
    "short matrix": ({"TransformMatrix": "1 0 0 0 1 0"}, None, "TransformMatrix: expected 9 finite numbers"),
    "truncated voxels": ({}, HU.tobytes()[:-7], "expected 120 bytes of voxels, found 113"),
    "empty voxels": ({}, b"", "expected 120 bytes of voxels, found 0"),
    "wrong compressed size": ({**ZIPPED, "CompressedDataSize": "7"}, PACKED, "expected 7 bytes of voxels"),
    "not compressed": ({"CompressedData": "True"}, HU.tobytes(), "expected zlib-compressed voxels"),
    "truncated compression": ({"CompressedData": "True"}, PACKED[:-9], "behind the compression"),
    "compressed too little": ({"CompressedData": "True"}, zlib.compress(HU[:2].tobytes()), "expected 120 bytes behind"),
    "compressed too much": ({"CompressedData": "True"}, zlib.compress(HU.tobytes() * 2), "expected 120 bytes behind"),
    "bytes behind the stream": ({"CompressedData": "True"}, PACKED + b"more", "behind the compression"),
    "flag in other words": ({"CompressedData": "yes"}, None, "CompressedData: expected False or True"),
    "parent folder": ({"ElementDataFile": "../secret.raw"}, None, "a file in the header's folder"),
    "absolute path": ({"ElementDataFile": "/etc/passwd"}, None, "a file in the header's folder"),
    "Windows path": ({"ElementDataFile": "..\\secret.raw"}, None, "a file in the header's folder"),
    "list of slices": ({"ElementDataFile": "LIST"}, None, "one file name or LOCAL"),
    "pattern of slices": ({"ElementDataFile": "slice%03d.raw 1 3 1"}, None, "one file name or LOCAL"),
    "missing voxels": ({"ElementDataFile": "absent.raw"}, None, "expected voxels in absent.raw"),
    "no data file": ({"ElementDataFile": None}, None, "ends with ElementDataFile"),
    "offset by 1024": ({}, (HU + 1024).astype("<i2").tobytes(), "expected HU with air"),
    "windowed": ({}, (HU // 20 + 50).clip(0, 255).astype("<i2").tobytes(), "expected HU with air"),
    "constant": ({}, np.zeros(60, "<i2").tobytes(), "3 of 3 with nothing but 0"),
    "bad header size": ({"HeaderSize": "-1"}, None, "HeaderSize: expected a number of bytes"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_file_is_refused_and_named(tmp_path, name):
    changes, content, message = MALFORMED[name]
    path = write_scan(tmp_path, content, **changes)
    with pytest.raises(ScanError, match=message) as caught:
        read_scan(path)
    assert UID in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"patients and their scans\n", "expected lines 'key = value'"),
        (b"\x89PNG\r\n\x1a\n\0\0", "expected lines 'key = value'"),
        (b"NDims = 3\nNDims = 3\nElementDataFile = a.raw\n", "expected one field NDims, found two"),
        (b"a = b\n" * 1, "ends with ElementDataFile, found a"),
        (b"x" * 200_000, "expected lines 'key = value'"),
    ],
)
def test_what_is_no_header_is_refused(tmp_path, content, message):
    path = tmp_path / f"{UID}.mhd"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=message):
        read_scan(path)


def test_missing_file_and_unknown_ending(tmp_path):
    with pytest.raises(ScanError, match="No such file"):
        read_scan(tmp_path / "absent.mhd")
    other = tmp_path / "scan.png"
    other.write_bytes(b"\x89PNG")
    with pytest.raises(ScanError, match=r"expected .mhd, .mha, .nii"):
        read_scan(other)


def test_symlink_loop_is_refused(tmp_path):
    path = tmp_path / f"{UID}.mhd"
    path.symlink_to(path)
    with pytest.raises(ScanError, match="symbolic links"):
        read_scan(path)


def test_symlink_loop_of_the_voxels_is_refused(tmp_path):
    path = write_scan(tmp_path)
    (tmp_path / f"{UID}.raw").unlink()
    (tmp_path / f"{UID}.raw").symlink_to(tmp_path / f"{UID}.raw")
    with pytest.raises(ScanError, match="symbolic links"):
        read_scan(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_voxels_are_refused(tmp_path):
    path = write_scan(tmp_path)
    (tmp_path / f"{UID}.raw").chmod(0)
    with pytest.raises(ScanError, match="Permission denied"):
        read_scan(path)


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_one_volume_of_four_dimensions_as_simpleitk_writes_it(tmp_path, name, is_compressed):
    volume = SimpleITK.GetImageFromArray(HU)
    volume.SetSpacing((7.0, 8.0, 12.5))
    volume.SetOrigin((-10.0, 20.5, -30.0))
    volume.SetDirection(DIRECTIONS[name].ravel().tolist())
    SimpleITK.WriteImage(volume, str(tmp_path / "three.mha"))
    joined = SimpleITK.JoinSeries([volume])
    assert joined.GetDimension() == 4
    SimpleITK.WriteImage(joined, str(tmp_path / "four.mha"), is_compressed)
    assert b"NDims = 4" in (tmp_path / "four.mha").read_bytes()
    scan, expected = (read_metaimage(tmp_path / f"{name}.mha") for name in ("four", "three"))
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.grid == expected.grid


def test_several_volumes_and_an_oblique_fourth_axis_are_refused(tmp_path):
    four = {"NDims": "4", "Offset": "0 0 0 0", "ElementSpacing": "7 8 12.5 1"}
    with pytest.raises(ScanError, match="NDims: expected 3, found 4"):
        read_metaimage(write_scan(tmp_path, **four, DimSize="5 4 3 2", TransformMatrix=None))
    matrix = "1 0 0 0 0 1 0 0 0 0 1 0.5 0 0 0 1"
    with pytest.raises(ScanError, match="TransformMatrix: expected 9 finite numbers, found"):
        read_metaimage(write_scan(tmp_path, **four, DimSize="5 4 3 1", TransformMatrix=matrix))
    with pytest.raises(ScanError, match=r"ElementSpacing: expected 3 finite numbers, found '7 8 12\.5 x 1'"):
        read_metaimage(write_scan(tmp_path, NDims="4", DimSize="5 4 3 1", ElementSpacing="7 8 12.5 x 1"))
