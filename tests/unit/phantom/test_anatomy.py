import numpy as np
import pytest
from scipy import ndimage

from lungpipe.phantom.anatomy import Chest, build_anatomy
from lungpipe.phantom.skeleton import build_bones, central_airways

EXTENT = (112.0, 128.0, 160.0)


@pytest.fixture(scope="module", params=[0, 1, 2])
def anatomy(request):
    rng = np.random.default_rng(request.param)
    return build_anatomy(Chest.drawn(EXTENT, rng), rng)


def test_layers_lie_inside_each_other(anatomy):
    chest = anatomy.chest
    assert chest.half_zyx_mm[1] > chest.body_yx_mm[0] > chest.cavity_yx_mm[0]
    assert chest.half_zyx_mm[2] > chest.body_yx_mm[1] > chest.cavity_yx_mm[1]
    lungs = anatomy.lungs_mm < 0
    assert np.all(anatomy.body_mm[lungs] < 0)
    assert np.all(anatomy.muscle_mm[lungs] < 0)


def test_both_lungs_have_a_fair_volume_and_the_heart_takes_from_the_left(anatomy):
    left, right = anatomy.lung_volume_ml(0), anatomy.lung_volume_ml(1)
    assert 70 < left < right < 300


def test_each_lung_is_one_piece(anatomy):
    assert ndimage.label(anatomy.lungs_mm < 0)[1] == 2


def test_the_lungs_do_not_touch_in_the_midline(anatomy):
    middle = np.abs(anatomy.lattice.x_mm) < 1
    assert np.all(anatomy.lungs_mm[:, :, middle] > 0)


def test_the_right_dome_of_the_diaphragm_stands_higher(anatomy):
    lattice, chest = anatomy.lattice, anatomy.chest
    behind_the_heart = 0.3 * chest.cavity_yx_mm[0]
    y = int(np.argmin(np.abs(lattice.y_mm - behind_the_heart)))
    lowest = []
    for sign in (1, -1):
        x = int(np.argmin(np.abs(lattice.x_mm - sign * 0.62 * chest.cavity_yx_mm[1])))
        lowest.append(lattice.z_mm[np.argmax(anatomy.lungs_mm[:, y, x] < 0)])
    assert lowest[1] > lowest[0]


def test_lung_points_lie_in_the_lung_of_their_side(anatomy):
    rng = np.random.default_rng(0)
    for side, sign in ((0, 1), (1, -1)):
        points = anatomy.lung_points(side, 500, rng)
        assert np.all(sign * points[:, 2] > 0)
        assert np.mean(anatomy.depth_in_lung(points) > 0) > 0.98


def test_hila_lie_at_the_medial_border(anatomy):
    assert anatomy.hila_zyx_mm[0, 2] > 0 > anatomy.hila_zyx_mm[1, 2]
    depth = anatomy.depth_in_lung(anatomy.hila_zyx_mm)
    assert np.all((depth > 0) & (depth < 3))


def test_the_lung_is_denser_at_the_back(anatomy):
    lungs, y = anatomy.lungs_mm < 0, anatomy.lattice.y_mm
    depth = anatomy.chest.cavity_yx_mm[0]
    rows = np.broadcast_to(y[None, :, None], lungs.shape)
    back = anatomy.parenchyma_hu[lungs & (rows > 0.4 * depth)].mean()
    front = anatomy.parenchyma_hu[lungs & (rows < -0.4 * depth)].mean()
    assert 15 < back - front < 70


def test_ribs_stay_outside_the_lungs_and_inside_the_skin(anatomy):
    ribs = build_bones(anatomy.chest, np.random.default_rng(0))[0].tubes
    inside = np.all(np.abs(ribs.ends_zyx_mm) < anatomy.chest.half_zyx_mm, axis=1)
    assert np.mean(anatomy.depth_in_lung(ribs.ends_zyx_mm[inside]) < 0) > 0.97
    assert np.all(anatomy.lattice.sample(anatomy.body_mm, ribs.ends_zyx_mm[inside]) < 0)


def test_the_trachea_divides_into_two_main_bronchi(anatomy):
    airways = central_airways(anatomy.chest, anatomy.hila_zyx_mm)
    trachea, left, right = airways.ends_zyx_mm
    np.testing.assert_allclose(airways.starts_zyx_mm[1:], [trachea, trachea])
    assert left[2] > trachea[2] > right[2]
    assert airways.start_radii_mm[0] > airways.end_radii_mm[1]
