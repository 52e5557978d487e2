"""The lung mask on two real scans: volumes, sides, and every annotated nodule inside."""

import os
from pathlib import Path

import numpy as np
import pytest

from lungpipe.datasets.annotations import read_annotations
from lungpipe.datasets.read import read_scan
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.volumes.lungs import dilate_mm, segment_lungs
from lungpipe.volumes.resample import resample

pytestmark = pytest.mark.real_data

# volumes read off the masks after looking at them slice by slice
LITRES = {"LIDC-IDRI-0012": (2.58, 3.02, 9), "LIDC-IDRI-0001": (1.77, 1.99, 1)}


@pytest.fixture(scope="module", params=LITRES)
def case(request):
    shared = os.environ.get("LUNGPIPE_SHARED")
    if not shared or not Path(shared, "dicom", request.param).is_dir():
        pytest.skip("LUNGPIPE_SHARED does not name the folder with the real scans")
    scan = read_scan(Path(shared, "dicom", request.param))
    nodules = read_annotations(Path(shared, "luna16"))
    centers = nodules.loc[nodules["series_uid"] == scan.series_uid, list(CENTER_COLUMNS)].to_numpy()
    grid = scan.grid.resampled((1.0, 1.0, 1.0))
    hu = resample(scan, grid)
    return scan, hu, grid, segment_lungs(hu, grid), centers, LITRES[request.param]


def test_volume_of_each_lung(case):
    _, _, grid, labels, _, (left, right, _) = case
    litres = np.bincount(labels.ravel()) * grid.voxel_volume_mm3 / 1e6
    assert litres[1] == pytest.approx(left, abs=0.05)
    assert litres[2] == pytest.approx(right, abs=0.05)


def test_every_nodule_lies_in_the_dilated_mask(case):
    _, _, grid, labels, centers, (_, _, num_nodules) = case
    assert len(centers) == num_nodules
    index = np.round(grid.to_index(centers)).astype(int)
    assert dilate_mm(labels, grid.spacing_zyx_mm, 5.0)[tuple(index.T)].all()


def test_native_grid_with_thick_slices_gives_the_same_lungs(case):
    scan, _, grid, labels, _, _ = case
    native = segment_lungs(scan.hu, scan.grid)
    for side in (1, 2):
        litres = (native == side).sum() * scan.grid.voxel_volume_mm3 / 1e6
        assert litres == pytest.approx((labels == side).sum() * grid.voxel_volume_mm3 / 1e6, rel=0.02)


def test_trachea_is_no_lung(case):
    _, hu, _, labels, _, _ = case
    # room-dark air in the middle of the upper third: trachea
    upper = slice(int(hu.shape[0] * 0.75), int(hu.shape[0] * 0.9))
    middle = slice(int(hu.shape[2] * 0.45), int(hu.shape[2] * 0.55))
    dark = hu[upper, hu.shape[1] // 3 : 2 * hu.shape[1] // 3, middle] < -960
    inside = labels[upper, hu.shape[1] // 3 : 2 * hu.shape[1] // 3, middle] > 0
    assert dark.sum() > 500
    assert (dark & inside).sum() < 0.1 * dark.sum()
