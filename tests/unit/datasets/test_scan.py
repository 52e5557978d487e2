"""What every reader asks of a scan: where the limits lie, to the voxel."""

import os
from pathlib import Path

import numpy as np
import pytest

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan, ScanError, check_grid, check_hu
from lungpipe.geometry import Grid

PATH = Path("subset0/1.2.3.mhd")


@pytest.mark.parametrize(
    ("shape", "spacing", "message"),
    [
        ((2, 50, 50), (10.0, 0.4, 0.4), None),
        ((1, 50, 50), (20.0, 0.4, 0.4), r"at least 2 voxels per axis, found \(1, 50, 50\) \(zyx\)"),
        ((200, 200, 200), (0.1, 0.1, 0.1), None),
        ((300, 300, 300), (0.09, 0.1, 0.1), r"a spacing from 0\.1 to 20 mm, found 0\.09, 0\.1, 0\.1 \(zyx\)"),
        ((20, 20, 20), (20.0, 1.0, 1.0), None),
        ((20, 20, 20), (20.1, 1.0, 1.0), r"a spacing from 0\.1 to 20 mm, found 20\.1, 1, 1 \(zyx\)"),
        ((20, 19, 20), (1.0, 1.0, 1.0), r"20 to 2500 mm along each axis, found 20, 19, 20 \(zyx\)"),
        ((250, 20, 20), (10.0, 1.0, 1.0), None),
        ((251, 20, 20), (10.0, 1.0, 1.0), r"20 to 2500 mm along each axis, found 2510, 20, 20 \(zyx\)"),
        ((2048, 1024, 1024), (1.0, 1.0, 1.0), None),
        ((2049, 1024, 1024), (1.0, 1.0, 1.0), r"at most 2147483648 voxels, found 2148532224: \(2049, 1024, 1024\)"),
    ],
)
def test_limits_of_the_grid(shape, spacing, message):
    if message is None:
        check_grid(Grid(shape, spacing), PATH)
        return
    with pytest.raises(ScanError, match=rf"1\.2\.3\.mhd: expected {message}"):
        check_grid(Grid(shape, spacing), PATH)


def scan_of(*shares, shape=(20, 10, 10)):
    """A scan of 2000 voxels: pairs of a value and how many voxels have it, spread evenly over the slices."""
    values = np.concatenate([np.full(count, value, np.int16) for value, count in shares])
    assert values.size == np.prod(shape)
    # voxel i goes to slice i modulo 20
    return Scan("1.2.3", values.reshape(shape[1] * shape[2], shape[0]).T.reshape(shape).copy(), Grid(shape))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([(-850, 2), (40, 1998)], None),
        ([(-850, 1), (40, 1999)], "HU with air"),
        ([(-200, 2), (40, 1998)], None),
        ([(-199, 2), (40, 1998)], "HU with air"),
        ([(-1500, 2), (40, 1998)], None),
        ([(-1501, 2), (40, 1998)], "HU with air"),
        ([(40, 2), (-850, 1998)], None),
        ([(40, 1), (-850, 1999)], "HU with tissue"),
        ([(-199, 2), (-850, 1998)], None),
        ([(4095, 2), (-850, 1998)], None),
        ([(4096, 2), (-850, 1998)], "HU with tissue"),
        ([(4096, 100), (40, 900), (-850, 1000)], None),
        ([(4096, 102), (40, 898), (-850, 1000)], r"at most 5% of them beyond -1500 to 4095, found 5\.1% \(values from"),
        ([(-3024, 1000), (40, 500), (-850, 500)], None),
        ([(-3024, 1000), (-2000, 100), (40, 400), (-850, 500)], None),
        ([(-3024, 1000), (-2000, 101), (40, 399), (-850, 500)], "at most 5% of them beyond"),
    ],
)
def test_limits_of_the_values(shares, message):
    scan = scan_of(*shares)
    if message is None:
        assert check_hu(scan, PATH) is scan
        return
    with pytest.raises(ScanError, match=rf"1\.2\.3\.mhd: expected .*{message}"):
        check_hu(scan, PATH)


def test_one_slice_of_twenty_may_be_blank():
    hu = scan_of((-850, 1000), (40, 1000)).hu
    hu[7] = 0
    check_hu(Scan("1.2.3", hu, Grid(hu.shape)), PATH)
    hu[3] = 0
    with pytest.raises(ScanError, match="HU in every slice, found 2 of 20 with nothing but 0, the first at 3"):
        check_hu(Scan("1.2.3", hu, Grid(hu.shape)), PATH)


def test_sample_of_a_large_scan_sees_every_column():
    """2^21 voxels are looked at in steps; an even step over rows of 2^k voxels would miss the odd columns."""
    hu = np.full((2, 1024, 1024), 40, np.int16)
    hu[:, :, 1::2] = -850
    check_hu(Scan("1.2.3", hu, Grid(hu.shape)), PATH)
    hu = np.full((2, 1024, 1024), 40, np.int16)
    hu[:, :, ::2] = -850
    check_hu(Scan("1.2.3", hu, Grid(hu.shape)), PATH)


@pytest.mark.parametrize("name", ["a.mhd", "a.nii", "a.dcm"])
def test_pipe_is_refused_without_waiting_for_it(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ScanError, match=f"{name}: expected a file or a folder, found a pipe or a device"):
        read_scan(tmp_path / name)


def test_voxels_alone_ask_for_their_header(tmp_path):
    (tmp_path / "a.zraw").write_bytes(b"")
    with pytest.raises(ScanError, match=r"a\.zraw: expected a header \(\.mhd\) beside the voxels, found none"):
        read_scan(tmp_path / "a.zraw")
