"""The lung mask on two real scans: volumes, sides, and every annotated nodule inside."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lungpipe.datasets.annotations import read_annotations
from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.lungs.segment import segment_lungs
from lungpipe.resampling.resample import resample
from lungpipe.tables import CENTER_COLUMNS

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


@pytest.fixture(scope="module")
def native_lungs(case):
    return segment_lungs(case[0].hu, case[0].grid)


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


def test_native_grid_with_thick_slices_gives_the_same_lungs(case, native_lungs):
    scan, _, grid, labels, _, _ = case
    for side in (1, 2):
        litres = (native_lungs == side).sum() * scan.grid.voxel_volume_mm3 / 1e6
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


def _narrow_field(hu, labels, radius):
    _, y, x = np.ogrid[:1, : hu.shape[1], : hu.shape[2]]
    is_outside = np.broadcast_to(np.hypot(y - hu.shape[1] / 2, x - hu.shape[2] / 2) > radius * hu.shape[1], hu.shape)
    return np.where(is_outside, -2000, hu).astype(np.int16), np.where(is_outside, 0, labels)


def _prone(hu, labels):
    return hu[:, ::-1].copy(), labels[:, ::-1]


def _thick(hu, labels):
    count = hu.shape[0] // 4 * 4
    thick = hu[:count].reshape(-1, 4, *hu.shape[1:]).mean(axis=1).astype(np.int16)
    return thick, labels[:count].reshape(-1, 4, *hu.shape[1:]).max(axis=1)


def _noisy(hu, labels):
    noise = np.random.default_rng(0).normal(0, 150, hu.shape)
    return (hu + noise).clip(-1024, 3000).astype(np.int16), labels


def _collapsed(hu, labels):
    near = ndimage.binary_dilation(labels == 1, iterations=2) & (labels != 2)
    return np.where(near, 40, hu).astype(np.int16), np.where(labels == 1, 0, labels)


def _effusion(hu, labels):
    behind = np.arange(hu.shape[1])[None, :, None] > np.median(np.nonzero(labels == 2)[1])
    fluid = (labels == 2) & behind
    return np.where(fluid, 20, hu).astype(np.int16), np.where(fluid, 0, labels)


def _middle_third(hu, labels):
    planes = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    part = slice(planes[len(planes) // 3], planes[2 * len(planes) // 3])
    return hu[part].copy(), labels[part]


def _columns(hu, labels, low, high):
    part = slice(round(low * hu.shape[2]), round(high * hu.shape[2]))
    return hu[:, :, part].copy(), labels[:, :, part]


CHANGES = {
    "prone": (_prone, 1, 0.99),
    "slices of 10 mm": (_thick, 4, 0.94),
    "noise of 150 HU": (_noisy, 1, 0.98),
    "left lung collapsed": (_collapsed, 1, 0.99),
    "effusion behind": (_effusion, 1, 0.99),
    "middle third only": (_middle_third, 1, 0.99),
    "field cuts the chest": (lambda hu, labels: _narrow_field(hu, labels, 0.36), 1, 0.98),
    "field shows one side, right": (lambda hu, labels: _columns(hu, labels, 0.0, 0.4), 1, 0.98),
    "field shows one side, left": (lambda hu, labels: _columns(hu, labels, 0.6, 1.0), 1, 0.98),
    "field cuts one side, left": (lambda hu, labels: _columns(hu, labels, 0.0, 0.7), 1, 0.98),
    "field cuts one side, right": (lambda hu, labels: _columns(hu, labels, 0.3, 1.0), 1, 0.98),
    "field cuts the lungs": (lambda hu, labels: _narrow_field(hu, labels, 0.3), 1, 0.94),
}


@pytest.mark.parametrize("change", CHANGES)
def test_lungs_stay_what_they_are_when_the_scan_changes(case, native_lungs, change):
    scan = case[0]
    change_scan, thickness, limit = CHANGES[change]
    hu, expected = change_scan(scan.hu, native_lungs)
    z, y, x = scan.grid.spacing_zyx_mm
    labels = segment_lungs(hu, Grid(hu.shape, (z * thickness, y, x)))
    for side in np.unique(expected[expected > 0]):
        mine, theirs = labels == side, expected == side
        assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > limit
    # no false second lung
    assert ((labels > 0) & (expected == 0)).sum() < 0.06 * (expected > 0).sum()
