import numpy as np
import pytest

from lungpipe.phantom.decoys import draw_decoy, paint_decoy
from lungpipe.phantom.nodules import LUNG_BASE_HU, Nodule, StarShape, nodule_shape, paint_nodule
from lungpipe.phantom.paint import Canvas
from lungpipe.phantom.ratings import Appearance

CENTER = (1.3, -2.1, 0.7)


def blank_canvas(step=0.5, half=16.0):
    axis = np.arange(-half, half + 0.01, step)
    hu = np.full((axis.size,) * 3, LUNG_BASE_HU, dtype=np.float32)
    return Canvas(hu, axis, axis, axis, edge_mm=1.0)


def nodule(diameter=10.0, texture="solid", margin="smooth", is_calcified=False, seed=5):
    return Nodule(CENTER, Appearance(diameter, texture, margin, "isolated", is_calcified), (3, 3, 3), seed)


def points(half, step=0.25):
    axis = np.arange(-half, half + step / 2, step)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


@pytest.mark.parametrize("diameter", [4.0, 9.0])
@pytest.mark.parametrize("lobulation", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_body_has_the_volume_and_the_centroid_that_it_states(diameter, lobulation, seed):
    shape = StarShape.drawn(diameter, lobulation, np.random.default_rng(seed))
    step = diameter / 28
    grid = points(1.05 * shape.reach_mm, step)
    inside = shape.depth(grid) > 0
    assert inside.sum() * step**3 == pytest.approx(np.pi / 6 * diameter**3, rel=0.02)
    np.testing.assert_allclose(grid[inside].mean(axis=0), 0, atol=0.02 * diameter)


def test_without_bumps_the_surface_of_an_unstretched_body_is_the_sphere():
    shape = StarShape(5.0, np.eye(3), np.zeros(3), 9.0, np.eye(3), np.zeros(3))
    depths = shape.depth(np.array([[0, 0, 0], [3, 0, 0], [0, 5, 0], [0, 0, -7.0]]))
    np.testing.assert_allclose(depths, [5, 2, 0, -2], atol=1e-6)


def test_the_reach_holds_the_body():
    for seed in range(5):
        shape = StarShape.drawn(8.0, 0.6, np.random.default_rng(seed))
        far = np.random.default_rng(0).normal(size=(500, 3))
        far *= 1.01 * shape.reach_mm / np.linalg.norm(far, axis=1, keepdims=True)
        assert np.all(shape.depth(far) < 0)


@pytest.mark.parametrize("margin", ["smooth", "lobulated"])
def test_a_painted_solid_nodule_holds_the_volume_of_its_diameter(margin):
    canvas, one = blank_canvas(), nodule(11.0, margin=margin)
    paint_nodule(canvas, one)
    bright = canvas.hu > (LUNG_BASE_HU + canvas.hu.max()) / 2
    assert bright.sum() * 0.125 == pytest.approx(np.pi / 6 * 11**3, rel=0.05)
    centroid = np.argwhere(bright).mean(axis=0) * 0.5 - 16
    np.testing.assert_allclose(centroid, CENTER, atol=0.25)


def test_spicules_reach_beyond_the_body_but_add_little_volume():
    smooth, spiky = blank_canvas(), blank_canvas()
    paint_nodule(smooth, nodule(10.0, margin="smooth"))
    paint_nodule(spiky, nodule(10.0, margin="spiculated"))

    def reach(canvas):
        found = np.argwhere(canvas.hu > -600) * 0.5 - 16 - np.array(CENTER)
        return np.linalg.norm(found, axis=1).max()

    assert reach(smooth) < 7.5
    assert reach(spiky) > reach(smooth) + 1.5
    assert 1 < (spiky.hu > -450).sum() / (smooth.hu > -450).sum() < 1.6


def test_ground_glass_is_at_least_150_hu_above_the_lung_and_below_tissue():
    for seed in range(6):
        canvas, one = blank_canvas(), nodule(12.0, "ground_glass", seed=seed)
        paint_nodule(canvas, one)
        offsets = np.stack(np.meshgrid(*canvas.axes_mm, indexing="ij"), axis=-1) - np.array(CENTER)
        inner = canvas.hu[nodule_shape(one).depth(offsets) > 2.0]
        assert -835 + 150 < inner.mean() < -400


def test_a_part_solid_nodule_has_a_denser_core():
    canvas = blank_canvas()
    paint_nodule(canvas, nodule(14.0, "part_solid", "lobulated"))
    assert canvas.hu.max() > -60
    core, glass = (canvas.hu > -300).sum(), ((canvas.hu < -300) & (canvas.hu > -750)).sum()
    assert 0.05 < core / (core + glass) < 0.5


def test_calcium_is_bright_in_the_middle_only():
    canvas = blank_canvas()
    paint_nodule(canvas, nodule(9.0, is_calcified=True))
    middle = tuple(round((c + 16) / 0.5) for c in CENTER)
    assert canvas.hu[middle] > 300
    assert (canvas.hu > 200).sum() < 0.7 * (canvas.hu > -400).sum()


def test_painting_is_local_and_repeatable():
    first, second = blank_canvas(), blank_canvas()
    for canvas in (first, second):
        paint_nodule(canvas, nodule(8.0, "part_solid", "spiculated"))
    np.testing.assert_array_equal(first.hu, second.hu)
    assert np.all(first.hu[:8] == LUNG_BASE_HU)


def test_a_nodule_outside_the_image_changes_nothing():
    canvas = blank_canvas()
    paint_nodule(canvas, Nodule((80, 0, 0), nodule().appearance, (3, 3, 3), 0))
    assert np.all(canvas.hu == LUNG_BASE_HU)


@pytest.mark.parametrize("kind", ["scar", "plaque", "micronodule"])
def test_a_decoy_fills_its_ellipsoid(kind):
    canvas = blank_canvas(0.25, 8.0)
    decoy = draw_decoy(np.zeros(3), np.array([0, 0, 1.0]), kind, np.random.default_rng(2))
    paint_decoy(canvas, decoy, LUNG_BASE_HU)
    filled = (canvas.hu > (LUNG_BASE_HU + decoy.value_hu) / 2).sum() * 0.25**3
    assert filled == pytest.approx(4 / 3 * np.pi * np.prod(decoy.half_axes_mm), rel=0.1)


def test_only_micronodules_state_a_diameter_and_it_is_below_3_mm():
    rng = np.random.default_rng(0)
    draw = {kind: draw_decoy(np.zeros(3), np.ones(3) / 3**0.5, kind, rng) for kind in ("scar", "plaque", "micronodule")}
    assert draw["scar"].diameter_mm == draw["plaque"].diameter_mm == -1
    assert 0 < draw["micronodule"].diameter_mm < 3
    assert draw["micronodule"].half_axes_mm[0] == draw["micronodule"].diameter_mm / 2


def test_a_plaque_lies_flat_against_the_pleura():
    decoy = draw_decoy(np.zeros(3), np.array([0, 1.0, 0]), "plaque", np.random.default_rng(0))
    thin = decoy.axes_zyx[:, int(np.argmin(decoy.half_axes_mm))]
    assert abs(thin[1]) == pytest.approx(1)
