"""Transfer functions, and Otsu's threshold by hand and beside another implementation."""

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from lungpipe.rendering.transfer import (
    BIN_HU,
    TRANSFER_NAMES,
    count_hu,
    gradient_transfer,
    linear_transfer,
    make_transfer,
    otsu_threshold,
    otsu_transfer,
)


@pytest.fixture(scope="module")
def two_humps():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(-850, 60, 60_000), rng.normal(30, 50, 40_000)]).astype(np.int16)


def test_otsu_by_hand():
    middles = np.array([0.0, 1.0, 2.0, 3.0])
    # 4 voxels of 0, 2 of 1 | 2 of 3: the variance between is 6 * 2 * (3 - 1/3)^2; without the 1: 4 * 4 * (2 - 0)^2
    assert otsu_threshold([4, 2, 0, 2], middles) == pytest.approx(2.0)
    assert otsu_threshold([4, 0, 0, 2], middles) == pytest.approx(1.5)


def test_otsu_agrees_with_another_implementation():
    rng = np.random.default_rng(1)
    overlapping = np.concatenate([rng.normal(-700, 180, 6_000), rng.normal(30, 150, 4_000)]).astype(np.int16)
    counts, middles = count_hu(overlapping)
    # theirs is the middle of the last bin of the lower class, ours the end of that bin
    assert otsu_threshold(counts, middles) == threshold_otsu(hist=(counts, middles)) + BIN_HU / 2


def test_otsu_separates_the_two_humps(two_humps):
    transfer = make_transfer("otsu", two_humps)
    assert transfer.threshold_hu is not None
    assert -600 < transfer.threshold_hu < -200
    assert transfer.opacity_at(two_humps[:60_000]).mean() < 1e-3
    assert transfer.opacity_at(two_humps[60_000:]).mean() > 1 - 1e-3
    assert transfer.opacity_at(transfer.threshold_hu) == pytest.approx(0.5)


def test_one_value_has_no_threshold():
    with pytest.raises(ValueError, match="expected voxels of different HU, found all of them equal"):
        make_transfer("otsu", np.zeros((4, 4, 4), np.int16))


def test_opacity_rises_with_hu_and_air_is_clear():
    for transfer in (linear_transfer(), gradient_transfer(), otsu_transfer(-400.0)):
        opacity = transfer.opacity_at(np.arange(-1024, 3000))
        assert opacity[0] == 0
        assert (np.diff(opacity) >= 0).all()
        assert opacity.max() <= 1
    assert gradient_transfer().gradient[0] == (0.0, 0.0)
    assert not linear_transfer().gradient


def test_every_voxel_is_counted_once():
    hu = np.array([-2000, -1024, -1017, -1016, 399, 400, 3000], np.int16)
    counts, middles = count_hu(hu)
    assert counts.sum() == len(hu)
    assert (counts[0], counts[1], counts[-1]) == (3, 1, 3)
    assert (middles[0], middles[-1]) == (-1020.0, 396.0)


def test_names(two_humps):
    assert [make_transfer(name, two_humps).name for name in TRANSFER_NAMES] == list(TRANSFER_NAMES)
    with pytest.raises(ValueError, match="transfer: expected one of linear, gradient, otsu, found 'cubic'"):
        make_transfer("cubic", two_humps)
