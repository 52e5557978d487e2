"""Compressed pixels: every transfer syntax gives the voxels of the plain file, and nothing of the bits above them."""

import numpy as np
import pydicom
import pytest
from dicom_files import SYNTAXES, compress, encode, store
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless

from lungpipe.datasets.dicom import read_dicom
from lungpipe.datasets.dicom.encapsulated import stream_shape
from lungpipe.datasets.scan import ScanError

OVERLAY = ((np.arange(48)[:, None] // 8 + np.arange(64) // 8) % 16).astype("<u2").ravel() << 12
"""Something else in the four bits above a value of twelve."""
# (37 k mod 1500) + 100 for k = 0..79, 0xF000 added at row 2, column 3; compressed with CharLS
JPEG_LS = bytes.fromhex(
    "ffd8fff7000b100008000a01011100fff8000d01ffff0012004301140040ffda00080101000000004c789311e4590e8312623c8b21ee4895122469"
    "1285409f4f2256e49d4e00000000000047f2000023886d0d219430891b8a1744a00dc7b92164551444d236e007270020080201008040200635b714"
    "4d13449114451043d226e087a1c8721a86a1a86218a16de8621685a168521485214a00ffd9"
)


@pytest.mark.parametrize("kind", SYNTAXES)
def test_voxels_are_those_of_the_plain_file(large_series, kind):
    for path in large_series.write_all().iterdir():
        compress(path, kind)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


@pytest.mark.parametrize("kind", [None, *SYNTAXES])
def test_bits_above_the_stored_ones_never_reach_the_voxels(large_series, kind):
    def with_overlay(index):
        return (np.frombuffer(store(large_series.hu[index]), "<u2") | OVERLAY).tobytes()

    for path in large_series.write_all(BitsStored=12, HighBit=11, PixelData=with_overlay).iterdir():
        if kind is not None:
            compress(path, kind)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


@pytest.mark.parametrize("kind", [None, *SYNTAXES])
def test_signed_values_are_extended_from_their_sign_bit(large_series, kind):
    def with_overlay(index):
        return ((large_series.hu[index].astype("<i2").view("<u2").ravel() & 0xFFF) | OVERLAY).tobytes()

    large_series.write_all(BitsStored=12, HighBit=11, PixelRepresentation=1, RescaleIntercept=0, PixelData=with_overlay)
    for path in large_series.folder.iterdir():
        if kind is not None:
            compress(path, kind)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


def test_value_in_the_highest_bits(large_series):
    """Before 2004 a value could lie in other bits than the lowest: the high bit says where (PS3.5 8.1.1)."""

    def shifted(index):
        return (np.frombuffer(store(large_series.hu[index]), "<u2") << 4 | 7).astype("<u2").tobytes()

    large_series.write_all(BitsStored=12, HighBit=15, PixelData=shifted)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


def test_big_endian(large_series):
    for path in large_series.write_all(
        PixelData=lambda i: np.frombuffer(store(large_series.hu[i]), "<u2").byteswap().tobytes()
    ).iterdir():
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data["PixelData"].VR = "OW"
        pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=False, enforce_file_format=True)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


def test_jpeg_ls(series):
    for path in series.write_all(BitsStored=12, HighBit=11).iterdir():
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = JPEGLSLossless
        data.PixelData = encapsulate([JPEG_LS])
        data["PixelData"].is_undefined_length = True
        data.save_as(path)
    expected = (np.arange(80).reshape(8, 10) * 37) % 1500 + 100
    assert expected[2, 3] < 0xFFF
    np.testing.assert_array_equal(read_dicom(series.folder).hu, np.broadcast_to(expected - 1024, (6, 8, 10)))


def test_stream_of_8_bits_in_pixels_of_16(large_series):
    for index, path in enumerate(sorted(large_series.write_all(BitsStored=8, HighBit=7, RescaleSlope=8).iterdir())):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = SYNTAXES["JPEG lossless"][0]
        data.PixelData = encapsulate([encode(((large_series.hu[index] + 1024) // 8).astype(np.uint8), "JPEG")])
        data["PixelData"].is_undefined_length = True
        data.save_as(path)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, (large_series.hu + 1024) // 8 * 8 - 1024)


def test_pixels_in_jpeg_ls_may_hold_the_bytes_that_begin_jpeg_2000():
    beginning, pixels = JPEG_LS[:40], JPEG_LS[40:]
    stream = beginning + b"\xff\x4f\xff\x51" + bytes(range(1, 25)) + pixels
    assert stream_shape(stream) == stream_shape(JPEG_LS) == (8, 10)


@pytest.mark.parametrize(("kind", "compressor"), [("JPEG 2000", "JPEG2000"), ("JPEG lossless", "JPEG")])
def test_compressed_pixels_of_another_size_are_refused(large_series, kind, compressor):
    path = large_series.write_all() / "3.dcm"
    compress(path, kind)
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([encode(np.zeros((48, 63), np.uint16), compressor)])
    data.save_as(path)
    found = r"found a compressed stream of \(48, 63\) pixels \(yx\) where \(48, 64\) are expected"
    with pytest.raises(ScanError, match=rf"3\.dcm: expected decodable pixels, {found}"):
        read_dicom(large_series.folder)


def test_size_of_a_stream_is_read_before_it_is_decoded(large_series):
    """GDCM would ask for the memory of 4 billion columns, and not come back."""
    path = large_series.write_all() / "3.dcm"
    compress(path, "JPEG 2000")
    data = pydicom.dcmread(path)
    stream = bytearray(next(generate_frames(data.PixelData, number_of_frames=1)))
    stream[8] = 0xF5
    data.PixelData = encapsulate([bytes(stream)])
    data.save_as(path)
    with pytest.raises(ScanError, match=r"found a compressed stream of \(48, 4110417984\) pixels"):
        read_dicom(large_series.folder)


@pytest.mark.parametrize("kind", ["JPEG lossless", "JPEG 2000", "RLE"])
def test_truncated_stream_is_refused_by_name(large_series, kind):
    path = large_series.write_all() / "3.dcm"
    compress(path, kind)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ScanError, match=r"3\.dcm: expected decodable pixels, found the end of the file before theirs"):
        read_dicom(large_series.folder)


@pytest.mark.parametrize("kind", ["JPEG lossless", "JPEG 2000"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_cut_stream_in_a_whole_file_is_refused_by_name(large_series, kind, share):
    path = large_series.write_all() / "3.dcm"
    compress(path, kind)
    data = pydicom.dcmread(path)
    stream = next(generate_frames(data.PixelData, number_of_frames=1))
    data.PixelData = encapsulate([stream[: int(share * len(stream))]])
    data.save_as(path)
    with pytest.raises(ScanError, match=r"3\.dcm: expected decodable pixels, found "):
        read_dicom(large_series.folder)


def test_bytes_behind_the_end_of_a_stream_are_no_error(large_series):
    for path in large_series.write_all().iterdir():
        compress(path, "JPEG 2000")
        data = pydicom.dcmread(path)
        data.PixelData = encapsulate([next(generate_frames(data.PixelData, number_of_frames=1)) + b"\0" * 4])
        data.save_as(path)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


@pytest.mark.parametrize("kind", ["JPEG lossless", "JPEG 2000"])
@pytest.mark.parametrize("has_table", [True, False])
def test_fragments_of_one_frame_are_joined_whatever_the_table_of_offsets_says(large_series, kind, has_table):
    for path in large_series.write_all().iterdir():
        compress(path, kind)
        data = pydicom.dcmread(path)
        stream = next(generate_frames(data.PixelData, number_of_frames=1))
        parts = [stream[start : start + 200] for start in range(0, len(stream), 200)]
        assert len(parts) > 1
        # a table that calls every fragment a frame
        data.PixelData = encapsulate(parts, has_bot=has_table)
        data.save_as(path)
    np.testing.assert_array_equal(read_dicom(large_series.folder).hu, large_series.hu)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"BitsStored": 17}, r"2\.dcm: BitsStored: expected 1 to 16 bits, found 17"),
        ({"BitsStored": 12, "HighBit": 16}, r"2\.dcm: HighBit: expected 11 to 15, found 16"),
        ({"BitsStored": 12, "HighBit": 10}, r"2\.dcm: HighBit: expected 11 to 15, found 10"),
    ],
)
def test_bits_that_do_not_fit_are_refused(series, changes, message):
    series.write_all()
    series.write(2, **changes)
    with pytest.raises(ScanError, match=message):
        read_dicom(series.folder)
