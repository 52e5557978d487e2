import numpy as np
import pytest

from lungpipe.lungs.airways import find_airways

SPACING = (2.0, 2.0, 2.0)
SHAPE = (80, 60, 120)


def scene(lung_hu=-850, center_x=60, radius=4.0):
    """Two lungs and a trachea (1.6 cm wide) above them that opens into both."""
    z, y, x = np.indices(SHAPE)
    hu = np.full(SHAPE, 40, np.int16)
    lungs = (z > 5) & (z < 60) & (np.abs(y - 30) < 22) & (np.abs(np.abs(x - 60) - 28) < 20)
    hu[lungs] = lung_hu
    trachea = (np.hypot(y - 30, x - center_x) <= radius) & (z >= 40)
    bronchi = (np.abs(z - 41) < 3) & (np.abs(y - 30) < 3) & (np.abs(x - 60) < 12)
    hu[trachea | bronchi] = -1000
    return hu, hu < -350, lungs, trachea, bronchi


def find(hu, air):
    return find_airways(hu, air, SPACING, width_mm=240.0, middle_x_vox=60.0)


def test_trachea_and_bronchi_but_no_lung():
    hu, air, lungs, trachea, bronchi = scene()
    found = find(hu, air)
    assert found[trachea].mean() > 0.98
    assert found[bronchi].mean() > 0.8
    assert (found & lungs).sum() < 0.01 * lungs.sum()


def test_lungs_as_dark_as_the_lumen_are_not_entered():
    hu, air, lungs, trachea, _ = scene(lung_hu=-990)
    found = find(hu, air)
    assert found[trachea & (np.indices(SHAPE)[0] > 45)].mean() > 0.95
    assert (found & lungs).sum() < 0.02 * lungs.sum()


@pytest.mark.parametrize(("center_x", "radius"), [(100, 4.0), (60, 14.0), (60, 0.4)])
def test_what_is_off_the_middle_too_wide_or_too_narrow_is_no_trachea(center_x, radius):
    hu, air, _, _, _ = scene(center_x=center_x, radius=radius)
    air[:61] = False
    assert not find(hu, air).any()


def test_gap_behind_the_back_is_longer_and_no_trachea():
    hu, air, _, trachea, _ = scene()
    _, y, x = np.indices(SHAPE)
    gap = (np.abs(y - 57) < 2) & (np.abs(x - 60) < 2)
    hu[gap] = -1000
    found = find(hu, air | gap)
    assert found[trachea].mean() > 0.98
    assert not found[gap].any()


def test_no_air_has_no_airways():
    hu = np.zeros(SHAPE, np.int16)
    assert not find(hu, hu < -350).any()
