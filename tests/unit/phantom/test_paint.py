import numpy as np
import pytest

from lungpipe.phantom.paint import Canvas, Tubes


@pytest.fixture
def canvas():
    axis = np.arange(-12, 12.01, 0.5)
    return Canvas(np.full((axis.size,) * 3, -900, dtype=np.float32), axis, axis, axis, edge_mm=0.5)


def paint(canvas, tubes, value):
    for box, coverage in canvas.tube_coverages(tubes):
        canvas.brighten(box, coverage, value, -900.0)


def test_distance_to_a_tapering_tube_by_hand():
    tube = Tubes.along([[0, 0, 0], [0, 0, 10]], [2.0, 1.0])
    points = [[0, 5, 0], [3, 0, 5], [0, 0, 14], [0, 0, 5]]
    np.testing.assert_allclose(tube.distance(points), [3.0, 1.5, 3.0, -1.5])


def test_distance_takes_the_nearest_piece():
    tubes = Tubes.joined([Tubes.along([[0, 0, 0], [0, 0, 4]], 1.0), Tubes.along([[9, 0, 0], [9, 0, 4]], 1.0)])
    np.testing.assert_allclose(tubes.distance([[7, 0, 2]]), [1.0])


def test_grown_tubes_never_have_a_negative_radius():
    tube = Tubes.along([[0, 0, 0], [0, 0, 4]], [2.0, 0.5]).grown(-1.0)
    assert tube.start_radii_mm.tolist() == [1.0]
    assert tube.end_radii_mm.tolist() == [0.0]


@pytest.mark.parametrize("radius", [1.0, 2.0, 4.0])
def test_a_tube_fills_the_area_of_its_cross_section(canvas, radius):
    paint(canvas, Tubes.along([[-20, 0.13, 0.21], [20, 0.13, 0.21]], radius), 100.0)
    area = ((canvas.hu[24] + 900) / 1000).sum() * 0.25
    assert area == pytest.approx(np.pi * radius**2, rel=0.04)


def test_a_hair_thin_tube_stays_faint(canvas):
    paint(canvas, Tubes.along([[-20, 0, 0], [20, 0, 0]], 0.1), 100.0)
    assert -900 < canvas.hu.max() < -500


def test_brighten_keeps_what_is_brighter_and_leaves_the_rest_alone(canvas):
    canvas.hu[24, 24, 24] = 700
    paint(canvas, Tubes.along([[0, 0, -3], [0, 0, 3]], 2.0), 100.0)
    assert canvas.hu[24, 24, 24] == 700
    assert canvas.hu[24, 24, 26] == 100
    assert canvas.hu[24, 40, 24] == -900


def test_lighten_mixes_only_upward_and_replace_both_ways(canvas):
    box = (slice(0, 1), slice(0, 1), slice(0, 2))
    half = np.full((1, 1, 2), 0.5, dtype=np.float32)
    canvas.hu[0, 0, :2] = [-900, 500]
    canvas.lighten(box, half, 100.0)
    assert canvas.hu[0, 0, :2].tolist() == [-400, 500]
    canvas.replace(box, half, 100.0)
    assert canvas.hu[0, 0, :2].tolist() == [-150, 300]


def test_boxes_hold_the_voxels_between_the_corners_and_are_empty_outside(canvas):
    box = canvas.box(np.array([-1.0, -0.6, 11.0]), np.array([1.0, 0.6, 30.0]))
    assert [len(axis[s]) for axis, s in zip(canvas.axes_mm, box, strict=True)] == [5, 3, 3]
    outside = canvas.box(np.full(3, 20.0), np.full(3, 30.0))
    assert any(s.stop <= s.start for s in outside)
    assert canvas.tube_coverages(Tubes.along([[30, 0, 0], [40, 0, 0]], 1.0)) == []


def test_coverage_is_half_on_the_surface(canvas):
    np.testing.assert_allclose(canvas.coverage(np.float32([-1, -0.25, 0, 0.25, 1])), [0, 0, 0.5, 1, 1])
