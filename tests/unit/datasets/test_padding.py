"""Padding told by its values: what becomes air, what stays, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from lungpipe.datasets.padding import PADDING_HU, accept_scan, touching_border, whole_hu
from lungpipe.datasets.scan import Scan, ScanError
from lungpipe.geometry import Grid
from lungpipe.terms import AIR_HU

PATH = Path("1.2.3.mhd")
CHEST = (np.arange(4800, dtype=np.int16).reshape(6, 20, 40) * 37) % 2000 - 1000
ROWS, COLUMNS = np.ogrid[:20, :40]
OUTSIDE = ((ROWS - 9.5) / 10) ** 2 + ((COLUMNS - 19.5) / 20) ** 2 > 1


def accept(hu):
    hu = np.array(hu, np.int16)
    return accept_scan(Scan("1.2.3", hu, Grid(hu.shape, (5.0, 5.0, 5.0))), PATH).hu


def test_scan_without_padding_is_returned_as_it_is():
    np.testing.assert_array_equal(accept(CHEST), CHEST)


@pytest.mark.parametrize("value", [-1501, -2000, -3024, -8192, PADDING_HU])
def test_one_darkest_value_becomes_air_wherever_it_lies(value):
    hu = np.where(OUTSIDE, value, CHEST)
    hu[3, 10, 20] = value
    expected = np.where(OUTSIDE, AIR_HU, CHEST)
    expected[3, 10, 20] = AIR_HU
    np.testing.assert_array_equal(accept(hu), expected)


def test_values_down_to_the_limit_stay():
    hu = CHEST.copy()
    hu[:, 0] = -1500
    np.testing.assert_array_equal(accept(hu), hu)


def test_dark_values_become_air_where_they_touch_the_border():
    ringing = -3024 + 400 * np.cos(np.arange(4800).reshape(CHEST.shape))
    hu = np.where(OUTSIDE, ringing, CHEST)
    hu[2, 8:11, 19:22] = -1700
    expected = np.where(OUTSIDE, AIR_HU, CHEST)
    # beside metal, within the body: no padding
    expected[2, 8:11, 19:22] = -1700
    np.testing.assert_array_equal(accept(hu), expected)


def test_padding_that_rings_over_a_fifth_of_the_voxels_is_no_reason_to_refuse():
    hu = np.where(OUTSIDE, -3024, CHEST)
    hu[OUTSIDE[None] & (np.arange(4800).reshape(CHEST.shape) % 4 > 0)] -= 7
    hu[:, 0, :] = -2900
    assert OUTSIDE.mean() > 0.2
    np.testing.assert_array_equal(accept(hu), np.where(OUTSIDE | (ROWS == 0), AIR_HU, CHEST))


def test_padding_is_no_air():
    with pytest.raises(ScanError, match="expected HU with air"):
        accept(np.where(OUTSIDE, -2000, np.maximum(CHEST, -1000) + 1024))


def test_noise_is_refused_though_half_of_it_is_dark():
    with pytest.raises(ScanError, match="at most 5% of them beyond"):
        accept(np.random.default_rng(1).integers(-32768, 32768, (40, 40, 40)))


def test_touching_border_joins_pixels_through_their_sides():
    mask = np.array([[0, 0, 0, 0, 0], [1, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0]], bool)
    expected = np.array([[0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0]], bool)
    np.testing.assert_array_equal(touching_border(mask), expected)


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<i4", "<i8", "<u8"])
def test_every_number_type_becomes_int16(kind):
    hu = whole_hu(np.abs(CHEST).astype(kind), PATH)
    assert hu.dtype == np.int16
    np.testing.assert_array_equal(hu, np.abs(CHEST))


def test_fractions_are_rounded():
    np.testing.assert_array_equal(whole_hu(np.full((2, 2, 2), -3.6), PATH), np.full((2, 2, 2), -4))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_missing_values_outside_the_body_are_padding(value):
    hu = whole_hu(np.where(OUTSIDE, value, CHEST).astype("<f4"), PATH)
    np.testing.assert_array_equal(hu, np.where(OUTSIDE, PADDING_HU, CHEST))
    np.testing.assert_array_equal(accept(hu), np.where(OUTSIDE, AIR_HU, CHEST))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("place", [(3, 10, 20), (3, 10, 0), (5, 0, 20)], ids=["middle", "row's end", "column's end"])
def test_missing_values_within_the_body_are_an_error(value, place):
    values = np.where(OUTSIDE, np.nan, CHEST).astype("<f4") if place == (3, 10, 20) else CHEST.astype("<f4")
    values[place] = value
    found = rf"NaN or -inf within the body in slice {place[0] + 1} of 6"
    with pytest.raises(ScanError, match=rf"1\.2\.3\.mhd: expected finite HU within int16, .* {found}"):
        whole_hu(values, PATH)


@pytest.mark.parametrize("value", [np.inf, 32768, -32769, 1e30])
def test_values_that_no_int16_holds_are_an_error_everywhere(value):
    values = np.where(OUTSIDE, value, CHEST.astype("<f8"))
    with pytest.raises(ScanError, match="expected finite HU within int16, found values outside"):
        whole_hu(values, PATH)


def test_nothing_but_missing_values_is_an_error():
    with pytest.raises(ScanError, match="nothing but NaN or -inf"):
        whole_hu(np.full((2, 3, 4), np.nan), PATH)
