"""MetaImage: what is unusual but correct is prepared to the voxel."""

import gzip
import zlib

import numpy as np
import pandas as pd
import pytest

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

HU = (np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 2 - 900).astype("<i2")
PACKED = zlib.compress(HU.tobytes())

WORKING = {
    "big-endian": ({"BinaryDataByteOrderMSB": "True"}, HU.astype(">i2").tobytes()),
    "compressed": ({"CompressedData": "True", "CompressedDataSize": str(len(PACKED))}, PACKED),
    "compressed without its size": ({"CompressedData": "True"}, PACKED),
    "gzip": ({"CompressedData": "True"}, gzip.compress(HU.tobytes())),
    "32-bit whole numbers": ({"ElementType": "MET_INT"}, HU.astype("<i4").tobytes()),
    "four bytes called long": ({"ElementType": "MET_LONG"}, HU.astype("<i4").tobytes()),
    "64-bit whole numbers": ({"ElementType": "MET_LONG_LONG"}, HU.astype("<i8").tobytes()),
    "flags in lower case": ({"BinaryData": "true", "CompressedData": "false", "BinaryDataByteOrderMSB": "FALSE"}, None),
    "flags as numbers": ({"BinaryData": "1", "BinaryDataByteOrderMSB": "1"}, HU.astype(">i2").tobytes()),
    "float": ({"ElementType": "MET_FLOAT"}, HU.astype("<f4").tobytes()),
    "big-endian double": ({"ElementType": "MET_DOUBLE", "BinaryDataByteOrderMSB": "True"}, HU.astype(">f8").tobytes()),
    "compressed float": ({"ElementType": "MET_FLOAT", "CompressedData": "True"}, zlib.compress(HU.astype("<f4"))),
    "size of a voxel for the spacing": ({"ElementSpacing": None, "ElementSize": "5 5 5"}, None),
    "spacing before the size of a voxel": ({"ElementSize": "1 1 1"}, None),
    "one channel": ({"ElementNumberOfChannels": "1"}, None),
    "header size": ({"HeaderSize": "7"}, b"1234567" + HU.tobytes()),
    "CT by name": ({"Modality": "MET_MOD_CT", "DistanceUnits": "mm"}, None),
    "rescale that changes nothing": ({"ElementToIntensityFunctionSlope": "1"}, None),
    "fields of others": ({"SeriesDescription": "Thorax  1.0  B30f = Mediastinum"}, None),
    "orientation in letters": ({"AnatomicalOrientation": "LPI"}, None),
}


@pytest.mark.parametrize("name", WORKING)
def test_unusual_but_correct_scan_is_prepared(subset, name):
    fields, voxels = WORKING[name]
    subset.write(voxels, **fields)
    np.testing.assert_array_equal(subset.volume(), HU)


# LUNA16 holds scans with x and y flipped; an odd number of flips is a mirror (determinant -1)
FLIPS = {
    "x and y": ("-1 0 0 0 -1 0 0 0 1", HU[:, ::-1, ::-1]),
    "mirror in x": ("-1 0 0 0 1 0 0 0 1", HU[:, :, ::-1]),
    "mirror in z": ("1 0 0 0 1 0 0 0 -1", HU[::-1]),
}


@pytest.mark.parametrize("name", FLIPS)
def test_flipped_axes_are_turned_back(subset, name):
    matrix, expected = FLIPS[name]
    subset.write(TransformMatrix=matrix)
    np.testing.assert_array_equal(subset.volume(), expected)


@pytest.mark.parametrize("change", ["CRLF", "byte order mark", "spaces"])
def test_header_of_another_editor_is_read(subset, change):
    subset.write()
    # without its first field: NDims then stands behind the mark
    text = subset.text(ObjectType=None)
    changed = {
        "CRLF": text.replace("\n", "\r\n").encode(),
        "byte order mark": text.encode("utf-8-sig"),
        "spaces": text.replace(" = ", "=").replace("\n", "  \n\n").encode(),
    }
    subset.header.write_bytes(changed[change])
    np.testing.assert_array_equal(subset.volume(), HU)


def test_names_with_spaces_and_umlauts_work_from_folder_to_store(tmp_path, subset):
    subset.folder = tmp_path / "Größe der Lunge 肺"
    uid = "Müller, Jörg 1"
    subset.write(uid="1.2.1")
    subset.write(uid=uid)
    (subset.raw / f"{uid}.raw").rename(subset.raw / "Bild größer.raw")
    (subset.raw / f"{uid}.mhd").write_text(subset.text(ElementDataFile="Bild größer.raw"), encoding="utf-8")
    np.testing.assert_array_equal(subset.volume(uid), HU)


def test_capital_endings_and_links_are_scans(subset):
    subset.write()
    subset.header.rename(subset.raw / "1.2.2.MHD")
    elsewhere = subset.folder / "voxels of 1.2.2"
    subset.data.rename(elsewhere)
    subset.data.symlink_to(elsewhere)
    np.testing.assert_array_equal(subset.volume(), HU)


def test_one_file_with_header_and_voxels(subset):
    text = subset.text(ElementDataFile="LOCAL").encode()
    (subset.raw / "1.2.2.mha").write_bytes(text + HU.tobytes())
    np.testing.assert_array_equal(subset.volume(), HU)
    (subset.raw / "1.2.2.mha").write_bytes(text.replace(b"NDims", b"HeaderSize = 9\nNDims") + HU.tobytes())
    end = len(text) + len("HeaderSize = 9\n")
    expected = f"1.2.2.mha: HeaderSize: expected {end}, where the header ends, found 9"
    assert subset.prepare().failures["reason"].tolist() == [f"{subset.raw}/{expected}"]


def test_padding_becomes_air_and_metal_stays(subset):
    hu = HU.copy()
    hu[:, :, :2] = -3024
    hu[2:4, 3, 4:9] = 20000
    subset.write(hu.tobytes())
    expected = hu.copy()
    expected[:, :, :2] = -1024
    np.testing.assert_array_equal(subset.volume(), expected)


def test_swapped_sizes_of_one_product_cannot_be_seen(subset):
    """The header is the only witness of its sizes: what it says is believed (docs/bad_input.md says so)."""
    subset.write(DimSize="8 10 6")
    assert subset.volume().shape == (6, 10, 8)


OTHERS = {
    "Latin-1": "0010|0010 = Müller, Jörg\n".encode("latin-1"),
    "Shift JIS": "0010|0010 = 山田^太郎\n".encode("shift_jis"),
    "UTF-16 in a value": b"Comment = " + "größe".encode("utf-16") + b"\n",
    "a value of several lines": b"0010|4000 = first\nsecond, without a mark\n\nfourth\n",
    "a field twice": b"Comment = a\nComment = b\n",
    "notes by hand": b"# written by hand\n  # DimSize = 1 1 1\n",
    "a long line": b"0029|1010 = " + b"x" * 300_000 + b"\n",
    "a header of 3 MB": b"".join(b"0029|%04x = %s\n" % (n, b"y" * 990) for n in range(3000)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_fields_that_nobody_needs_may_hold_anything(subset, name):
    subset.write()
    # behind the first field, and before the last
    start, end = subset.text().encode().split(b"ElementSpacing")
    subset.header.write_bytes(start + OTHERS[name] + b"ElementSpacing" + end)
    np.testing.assert_array_equal(subset.volume(), HU)


def test_voxels_under_the_same_name_in_other_case_are_used_and_said(subset):
    subset.write()
    subset.data.rename(subset.raw / "1.2.2.RAW")
    scan = read_scan(subset.header)
    np.testing.assert_array_equal(scan.hu, HU)
    assert scan.remarks == ("voxels read from 1.2.2.RAW; the header names 1.2.2.raw",)
    remarks = subset.rows()["remarks"]
    assert remarks.to_dict() == {"1.2.1": "", "1.2.2": scan.remarks[0]}
    # the remark stays where the volume is kept
    pd.testing.assert_series_equal(subset.rows()["remarks"], remarks)
    np.testing.assert_array_equal(subset.volume(), HU)
    (subset.raw / "1.2.2.Raw").write_bytes(b"")
    with pytest.raises(ScanError, match=r"1\.2\.2\.mhd: expected voxels in 1\.2\.2\.raw, found No such file"):
        read_scan(subset.header)
