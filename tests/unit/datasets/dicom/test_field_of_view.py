"""Padding outside the field of view becomes air, whatever element, value or type tells of it."""

import numpy as np
import pytest
from pydicom.dataelem import DataElement

from lungpipe.datasets.dicom import read_dicom
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.resampling.resample import resample

ROWS, COLUMNS = np.ogrid[:8, :10]
OUTSIDE = (ROWS - 3.5) ** 2 + (COLUMNS - 4.5) ** 2 > 16
"""Without a round field of view: all four corners."""


def padded(series, value, kind="<u2"):
    """The pixels of each slice with `value` outside the field of view."""

    def pixels(index):
        stored = series.hu[index].astype("<i4") + (1024 if kind == "<u2" else 0)
        return np.where(OUTSIDE, value, stored).astype(kind).tobytes()

    return pixels


def check_air(series, scan):
    expected = series.hu.copy()
    expected[:, OUTSIDE] = -1024
    np.testing.assert_array_equal(scan.hu, expected)


UNSIGNED = {
    "brightest value of twelve bits": (4095, {"PixelPaddingValue": 4095, "BitsStored": 12, "HighBit": 11}),
    "beyond twelve bits": (63536, {"PixelPaddingValue": 63536, "BitsStored": 12, "HighBit": 11}),
    "beyond int16": (63536, {"PixelPaddingValue": 63536}),
    "as dark as air": (0, {"PixelPaddingValue": 0}),
    "a value of tissue": (1064, {"PixelPaddingValue": 1064}),
    "a range": (4000, {"PixelPaddingValue": 3990, "PixelPaddingRangeLimit": 4010}),
    "a range downwards": (4000, {"PixelPaddingValue": 4010, "PixelPaddingRangeLimit": 3990}),
}


@pytest.mark.parametrize("name", UNSIGNED)
def test_unsigned_padding_by_its_element(series, name):
    value, elements = UNSIGNED[name]
    series.write_all(PixelData=padded(series, value), **elements)
    check_air(series, read_dicom(series.folder))


SIGNED = {
    "darker than any tissue": {"PixelPaddingValue": -2000},
    "its bits as an unsigned number": {"PixelPaddingValue": DataElement("PixelPaddingValue", "US", 63536)},
    "no element: the one darkest value": {},
}


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("name", SIGNED)
def test_signed_padding(series, name, bits):
    elements = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 1, "RescaleIntercept": 0}
    series.write_all(PixelData=padded(series, -2000, "<i2"), **elements, **SIGNED[name])
    check_air(series, read_dicom(series.folder))


def test_two_kinds_of_padding(series):
    """What the element tells, and outside of it what is darker than -1500 HU and touches the border."""

    def pixels(index):
        stored = np.where(OUTSIDE, -8192, series.hu[index])
        stored[:, 0] = -3024
        stored[0] = -2000 - 7 * np.arange(10)
        return stored.astype("<i2").tobytes()

    elements = {"PixelRepresentation": 1, "RescaleIntercept": 0, "PixelPaddingValue": -8192}
    series.write_all(PixelData=pixels, **elements)
    expected = series.hu.copy()
    expected[:, OUTSIDE] = -1024
    expected[:, 0] = expected[:, :, 0] = -1024
    np.testing.assert_array_equal(read_dicom(series.folder).hu, expected)


def test_metal_as_bright_as_the_padding_is_no_hole_in_the_body(series):
    def pixels(index):
        stored = np.frombuffer(padded(series, 4095)(index), "<u2").reshape(8, 10).copy()
        stored[3:5, 4:6] = 4095
        return stored.tobytes()

    series.write_all(PixelData=pixels, BitsStored=12, HighBit=11, PixelPaddingValue=4095)
    hu = read_dicom(series.folder).hu
    assert (hu[:, OUTSIDE] == -1024).all()
    assert (hu[:, 3:5, 4:6] == 3071).all()


def test_a_slice_of_padding_alone(series):
    series.write_all(
        PixelPaddingValue=63536,
        PixelData=lambda i: np.where(i == 5, 63536, series.hu[i].astype(int) + 1024).astype("<u2").tobytes(),
    )
    hu = read_dicom(series.folder).hu
    np.testing.assert_array_equal(hu[:5], series.hu[:5])
    assert (hu[5] == -1024).all()


def test_padding_does_not_pass_for_air(series):
    """Values shifted by 1024 HU have no air; their padding, which becomes air, is none either."""
    series.write_all(RescaleIntercept=24, PixelData=padded(series, 63536), PixelPaddingValue=63536)
    with pytest.raises(ScanError, match="expected HU with air"):
        read_dicom(series.folder)


def test_padding_does_not_bleed_into_tissue(series):
    tissue = np.full((8, 10), 1064)
    tissue[4, 4] = 200

    def pixels(index):
        return np.where(OUTSIDE, 63536, tissue).astype("<u2").tobytes()

    series.write_all(PixelData=pixels, PixelPaddingValue=63536)
    scan = read_dicom(series.folder)
    finer = resample(scan, scan.grid.resampled((2.0, 2.0, 2.0)))
    assert isinstance(scan.grid, Grid)
    assert (finer.min(), finer.max()) == (-1024, 40)
