"""Arrays as scans, and stores as input."""

import numpy as np
import pytest
from dicom_balls import write_series

from lungpipe.datasets.scan import ScanError
from lungpipe.prediction.limits import RefusedScanError
from lungpipe.prediction.source import make_scan, open_source
from lungpipe.terms import AIR_HU


def values(dtype=np.float32):
    hu = np.full((30, 40, 50), -800, dtype)
    hu[:, 10:30, 10:40] = 40
    return hu


def test_an_array_becomes_a_scan_and_stays_as_it_is():
    hu = values()
    hu[0, 0, 0], hu[5, 15, 15], hu[:, :, -1] = np.nan, 12.6, -3000
    before = hu.copy()
    scan = make_scan(hu, (2.0, 1.0, 1.5), (10.0, 20.0, 30.0), series_uid="1.2.3")
    np.testing.assert_array_equal(hu, before)
    assert (scan.series_uid, scan.hu.dtype) == ("1.2.3", np.int16)
    assert scan.hu[5, 15, 15] == 13
    assert (scan.hu[:, :, -1] == AIR_HU).all()
    np.testing.assert_allclose(scan.grid.to_world((1, 2, 3)), (12.0, 22.0, 34.5))


@pytest.mark.parametrize(
    ("array", "spacing", "message"),
    [
        (np.zeros((30, 40)), (1.0, 1.0, 1.0), "array: expected three dimensions"),
        (values(complex), (1.0, 1.0, 1.0), "array: expected three dimensions"),
        (values(), (0.001, 0.001, 0.001), "array: expected a spacing from 0.1 to 20 mm"),
        (values(), (1.0, 1.0, -1.0), "array: grid spacing: expected three positive lengths"),
        (np.zeros((30, 40, 50)), (1.0, 1.0, 1.0), "array: expected HU in every slice"),
        (values() + 2000, (1.0, 1.0, 1.0), "array: expected HU with air"),
    ],
)
def test_an_array_that_is_no_ct_is_refused(array, spacing, message):
    with pytest.raises(ScanError, match=message):
        make_scan(array, spacing)


def test_a_store_of_another_spacing_or_a_broken_one_is_refused(write_store, tmp_path):
    store = write_store("1.2", np.full((24, 24, 24), -800), (1.0, 1.0, 1.0))
    volume = open_source(store, None, (1.0, 1.0, 1.0))
    assert volume.hu.shape == (24, 24, 24)
    for path, spacing in ((store, (2.0, 1.0, 1.0)), (tmp_path / "none.ome.zarr", (1.0, 1.0, 1.0))):
        with pytest.raises(RefusedScanError, match=path.name) as caught:
            open_source(path, None, spacing)
        assert caught.value.reason == "unusable"


def test_of_several_series_the_thinnest_is_read_and_said(tmp_path):
    thin, thick = write_series(tmp_path / "a" / "thin"), write_series(tmp_path / "a" / "thick")
    for path in sorted(thick.folder.iterdir())[::2]:
        path.unlink()
    scan = open_source(tmp_path / "a", None, (1.0, 1.0, 1.0))
    assert scan.series_uid == thin.uid
    assert scan.remarks[0].startswith("2 CT series: chose the one with the thinnest slices, 1.00 mm apart")
    chosen = open_source(tmp_path / "a", thick.uid, (1.0, 1.0, 1.0))
    assert (chosen.series_uid, chosen.remarks) == (thick.uid, ())


def test_the_error_of_a_single_bad_series_is_the_readers(tmp_path):
    series = write_series(tmp_path / "a")
    sorted(series.folder.iterdir())[7].unlink()
    with pytest.raises(RefusedScanError, match=r"expected slices 1\.000 mm apart, found 2\.000 mm"):
        open_source(series.folder, None, (1.0, 1.0, 1.0))
