"""Slice positions as exporters write them."""

import numpy as np
import pytest
from slice_positions import COUNT, PLANES, fixed, write

from lungpipe.datasets.dicom import read_dicom
from lungpipe.datasets.scan import ScanError


@pytest.mark.parametrize(
    ("distance", "decimals", "start"),
    [(0.625, 1, -145.7833), (0.75, 1, 0.0), (1.25, 1, 33.34), (0.625, 2, -33.333), (0.667, 1, 12.0), (1.375, 1, 5.05)],
)
def test_rounded_positions_are_one_regular_grid(series, distance, decimals, start):
    folder = write(series, lambda k: ("-47.3633", "-82.3532", fixed(start + distance * k, decimals)))
    scan = read_dicom(folder)
    # within half a unit at both ends
    unit = 10.0**-decimals
    assert scan.grid.spacing_zyx_mm[0] == pytest.approx(distance, abs=unit / (COUNT - 1))
    for index in (0, COUNT - 1):
        assert scan.grid.to_world((index, 0, 0))[0] == pytest.approx(start + distance * index, abs=unit)
    np.testing.assert_array_equal(scan.hu, PLANES)


def test_rounding_is_said_and_the_spacing_is_the_round_number(series):
    folder = write(series, lambda k: ("0", "0", fixed(0.625 * k, 1)))
    scan = read_dicom(folder)
    assert scan.grid.spacing_zyx_mm[0] == 0.625
    assert scan.remarks == ("slice positions are rounded: distances from 0.6 to 0.7 mm read as 0.625 mm",)


@pytest.mark.parametrize("written", ["{:.6f}", "{:e}", "{:.1f}0"])
def test_rounding_is_found_behind_zeros(series, written):
    folder = write(series, lambda k: ("0", "0", written.format(round(0.625 * k, 1))))
    assert read_dicom(folder).grid.spacing_zyx_mm[0] == 0.625


def test_rounding_is_found_behind_the_error_of_single_precision(series):
    numbers = [float(np.float32(round(0.625 * k - 145.3, 1))) for k in range(COUNT)]
    assert any(len(repr(number)) > 10 for number in numbers)
    scan = read_dicom(write(series, lambda k: ("0", "0", repr(numbers[k])[:16])))
    assert scan.grid.spacing_zyx_mm[0] == 0.625


def test_regular_positions_need_no_remark(series):
    scan = read_dicom(write(series, lambda k: ("0", "0", fixed(0.7 * k, 1))))
    assert scan.remarks == ()
    assert scan.grid.spacing_zyx_mm[0] == pytest.approx(0.7, abs=1e-9)


IRREGULAR = {
    "a slice missing": lambda k: ("0", "0", fixed(0.625 * (k + (k > 17)), 1)),
    "one slice a unit off": lambda k: ("0", "0", fixed(0.625 * k + 0.15 * (k == 17), 1)),
    "more decimals than rounding leaves": lambda k: ("0", "0", fixed(round(0.625 * k, 1) + 0.001 * (k % 2), 3)),
    "whole numbers": lambda k: ("0", "0", fixed(2.5 * k, 0)),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_what_rounding_does_not_explain_is_refused(series, name):
    with pytest.raises(ScanError, match=r"expected slices .* mm apart, found .* mm between"):
        read_dicom(write(series, IRREGULAR[name]))


def test_rounded_positions_of_an_oblique_series_are_no_tilt(series):
    normal = np.array([0.0, -0.6, 0.8])
    folder = write(
        series,
        lambda k: tuple(fixed(number, 1) for number in 10 + normal * 1.25 * k),
        ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 0.8, 0.6],
    )
    scan = read_dicom(folder)
    assert scan.hu.shape == (COUNT, 8, 10)
    assert scan.grid.spacing_zyx_mm[0] == pytest.approx(1.25, abs=0.01)
