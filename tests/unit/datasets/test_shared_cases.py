"""Scans as exporters and archives write them: eight inputs that hold the same synthetic chest."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from lungpipe.datasets.read import read_scan

SHAPE = (80, 137, 172)
CASES = {
    "d05_jpll": "d05_jpll",
    "d06_localizer_last": "d06_localizer_last",
    "d07_with_rtstruct_seg": "d07_with_rtstruct_seg",
    "d10_pad_high_4095": "d10_pad_high_4095",
    "d15_z_one_decimal": "d15_z_one_decimal",
    "m01": "m01/latin1.mha",
    "n01_int64": "n01_int64/ct.nii",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    root = os.environ.get("LUNGPIPE_SHARED")
    if not root or not Path(root, "cases", "cases.tar.xz").is_file():
        pytest.skip("LUNGPIPE_SHARED does not name the folder with the cases")
    folder = tmp_path_factory.mktemp("cases")
    with tarfile.open(Path(root, "cases", "cases.tar.xz")) as archive:
        # Python before 3.11.4 knows no filter
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202
    return folder


@pytest.fixture(scope="module")
def plain(cases):
    return read_scan(cases / "d14_patient")


@pytest.mark.real_data
def test_patient_folder_holds_the_chest(plain):
    assert plain.hu.shape == SHAPE
    assert (plain.hu.min(), plain.hu.max()) == (-1024, 953)
    assert plain.remarks == ()


@pytest.mark.real_data
@pytest.mark.parametrize("name", CASES)
def test_every_case_is_the_plain_scan(cases, plain, name):
    scan = read_scan(cases / CASES[name])
    spacing = (0.625, *plain.grid.spacing_zyx_mm[1:]) if name.startswith("d15") else plain.grid.spacing_zyx_mm
    assert scan.grid.spacing_zyx_mm == pytest.approx(spacing, abs=1e-5)
    # d15 is the same chest with its slices pushed together: other nodules than in the plain scan are found in it
    np.testing.assert_allclose(scan.grid.origin_zyx_mm, plain.grid.origin_zyx_mm, atol=0.05)
    assert len(scan.remarks) == (1 if name.startswith(("d06", "d15")) else 0)
    if name.startswith("d10"):
        # outside of the field of view: air instead of what the plain scan has there
        outside = scan.hu != plain.hu
        assert (scan.hu[outside] == -1024).all()
        assert (plain.hu[outside] < -800).all()
        assert scan.hu.max() <= 953
    else:
        np.testing.assert_array_equal(scan.hu, plain.hu)
