"""The lung mask on a drawn chest of known lungs, in every position that scans come in."""

import numpy as np
import pytest

from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.lungs.segment import segment_lungs


def test_two_lungs_on_their_sides(chest):
    labels = segment_lungs(chest.hu, chest.grid)
    assert labels.dtype == np.uint8
    assert chest.dice(labels, 1) > 0.98
    assert chest.dice(labels, 2) > 0.98
    left = chest.grid.to_world(np.argwhere(labels == 1)).mean(axis=0)
    right = chest.grid.to_world(np.argwhere(labels == 2)).mean(axis=0)
    assert left[2] > right[2]


def test_trachea_gas_table_and_room_are_no_lung(chest):
    labels = segment_lungs(chest.hu, chest.grid)
    assert (labels[chest.trachea] > 0).mean() < 0.05
    outside = (labels > 0) & (chest.lungs == 0)
    assert outside.sum() < 0.03 * (chest.lungs > 0).sum()


def test_volume_in_litres(chest):
    labels = segment_lungs(chest.hu, chest.grid)
    litres = (labels > 0).sum() * chest.grid.voxel_volume_mm3 / 1e6
    # two ellipsoids of 4/3 pi 110 x 85 x 62 mm
    assert litres == pytest.approx(2 * 4 / 3 * np.pi * 110 * 85 * 62 / 1e6, rel=0.03)


@pytest.mark.parametrize("scale", [0.35, 0.6, 1.0])
def test_any_size_of_chest(draw, scale):
    chest = draw(spacing=(3.0 * scale,) * 3, scale=scale)
    assert chest.dice(segment_lungs(chest.hu, chest.grid)) > 0.98


@pytest.mark.parametrize("spacing", [(2.0, 1.8, 1.8), (5.0, 2.0, 2.0), (10.0, 2.5, 2.5)])
def test_thick_and_thin_slices(draw, spacing):
    chest = draw(spacing=spacing)
    labels = segment_lungs(chest.hu, chest.grid)
    assert chest.dice(labels, 1) > 0.96
    assert chest.dice(labels, 2) > 0.96


@pytest.mark.parametrize(
    ("order", "flips"),
    [
        ((0, 1, 2), (1, -1, -1)),
        ((0, 1, 2), (-1, 1, 1)),
        ((0, 2, 1), (1, 1, 1)),
        ((2, 1, 0), (1, -1, 1)),
        ((1, 2, 0), (-1, -1, -1)),
    ],
)
def test_any_order_and_direction_of_axes(chest, order, flips):
    step = tuple(slice(None, None, flip) for flip in flips)
    hu, truth = (np.ascontiguousarray(a[step].transpose(order)) for a in (chest.hu, chest.lungs))
    corner = [0 if flip > 0 else n - 1 for flip, n in zip(flips, chest.hu.shape, strict=True)]
    matrix = np.diag(np.array(flips, float))[:, list(order)]
    grid = Grid(
        hu.shape,
        tuple(chest.grid.spacing_zyx_mm[axis] for axis in order),
        tuple(chest.grid.to_world(corner)),
        tuple(tuple(row) for row in matrix.tolist()),
    )
    labels = segment_lungs(hu, grid)
    assert labels.shape == hu.shape
    assert labels.flags.c_contiguous
    for side in (1, 2):
        assert 2 * ((labels == side) & (truth == side)).sum() / ((labels == side).sum() + (truth == side).sum()) > 0.98


@pytest.mark.parametrize("half_width", [150.0, 140.0])
def test_field_of_view_that_cuts_the_lungs(draw, half_width):
    chest = draw(window=(90.0, half_width - 20))
    assert (chest.lungs[:, :, 0] > 0).any()
    labels = segment_lungs(chest.hu, chest.grid)
    assert chest.dice(labels) > 0.96


@pytest.mark.parametrize("half_width", [70.0, 95.0])
def test_field_of_view_inside_the_lungs(draw, half_width):
    # the border cuts both lungs on every side, and shows no room
    chest = draw(window=(half_width - 20, half_width))
    assert (chest.lungs[:, 0] > 0).any()
    assert (chest.lungs[:, :, -1] > 0).any()
    labels = segment_lungs(chest.hu, chest.grid)
    assert chest.dice(labels, 1) > 0.95
    assert chest.dice(labels, 2) > 0.95


@pytest.mark.parametrize(("half_width", "sides"), [(270.0, (1, -1)), (270.0, (1,)), (215.0, (1, -1)), (215.0, (1,))])
def test_arms_in_view(draw, half_width, sides):
    drawn = draw(window=(140.0, half_width))
    _, y, x = np.indices(drawn.hu.shape, sparse=True)
    y, x = (o + 3 * index for o, index in zip(drawn.grid.origin_zyx_mm[1:], (y, x), strict=True))
    hu = drawn.hu.copy()
    for side in sides:
        # against the body, with a gap of air before and behind that a blanket closes; 215 mm cut through the arm
        distance = np.hypot(y, x - side * 210)
        hu[np.broadcast_to(distance < 48, hu.shape)] = 40
        hu[np.broadcast_to(distance < 12, hu.shape)] = 600
        blanket = (np.abs(np.abs(y) - 60) < 5) & (side * x > 120) & (side * x < 240)
        hu[np.broadcast_to(blanket, hu.shape) & (hu < -350)] = -50
    labels = segment_lungs(hu, drawn.grid)
    assert min(drawn.dice(labels, 1), drawn.dice(labels, 2)) > 0.98


@pytest.mark.parametrize("side", [1, 2])
def test_field_of_view_of_one_side(chest, side):
    # the middle of the drawn chest is the middle of its columns, and the gap between the lungs
    half = chest.hu.shape[2] // 2
    part = slice(half, None) if side == 1 else slice(None, half)
    hu, expected = chest.hu[:, :, part].copy(), chest.lungs[:, :, part] == side
    labels = segment_lungs(hu, Grid(hu.shape, chest.grid.spacing_zyx_mm))
    assert set(np.unique(labels)) == {0, side}
    assert 2 * ((labels == side) & expected).sum() / ((labels == side).sum() + expected.sum()) > 0.97


def test_windpipe_cut_by_the_field_of_view_takes_no_lung_with_it(chest):
    half = chest.hu.shape[2] // 2
    hu = chest.hu[:, :, half:].copy()
    # an open way from the windpipe, as dark as the room, to the lung
    z, y = round(150 / 3), chest.hu.shape[1] // 2
    hu[z - 3 : z + 4, y - 3 : y + 4, : round(40 / 3)] = -1000
    labels = segment_lungs(hu, Grid(hu.shape, chest.grid.spacing_zyx_mm))
    expected = chest.lungs[:, :, half:] == 1
    is_near = np.zeros_like(expected)
    is_near[z - 3 : z + 4] = True
    assert (labels > 0)[expected & is_near].mean() > 0.9


@pytest.mark.parametrize("padding_hu", [-3024, -2000, -1024, -1000])
@pytest.mark.parametrize("radius_mm", [132, 100])
def test_padding_outside_a_round_field_of_view(draw, radius_mm, padding_hu):
    chest = draw()
    _, y, x = np.moveaxis(chest.grid.to_world(np.stack(np.indices(chest.hu.shape), axis=-1)), -1, 0)
    is_padding = np.hypot(y, x) > radius_mm
    # some scanners clip what they write: then the padding is as dark as the darkest air, and no darker
    hu = np.where(is_padding, padding_hu, np.maximum(chest.hu, padding_hu)).astype(np.int16)
    truth = (chest.lungs > 0) & ~is_padding
    labels = segment_lungs(hu, chest.grid) > 0
    assert truth.sum() < (chest.lungs > 0).sum()
    assert 2 * (labels & truth).sum() / (labels.sum() + truth.sum()) > 0.95


@pytest.mark.parametrize("collapsed", [1, 2])
def test_one_collapsed_lung(draw, collapsed):
    chest = draw()
    hu = np.where(chest.lungs == collapsed, 20, chest.hu).astype(np.int16)
    labels = segment_lungs(hu, chest.grid)
    assert chest.dice(labels, 3 - collapsed) > 0.97
    assert (labels == collapsed).sum() < 0.01 * (labels > 0).sum()


def test_lungs_that_touch_are_parted_in_the_middle(draw):
    chest = draw(gap_mm=-4.0)
    labels = segment_lungs(chest.hu, chest.grid)
    assert chest.dice(labels) > 0.96
    assert chest.dice(labels, 1) > 0.95
    assert chest.dice(labels, 2) > 0.95


def test_dark_lungs_of_emphysema(draw):
    chest = draw(lung_hu=-955)
    assert chest.dice(segment_lungs(chest.hu, chest.grid)) > 0.96


@pytest.mark.parametrize("depth_mm", [0.0, 4.0, 30.0])
def test_nodule_on_the_pleura_or_inside_stays_in(draw, depth_mm):
    chest = draw(spacing=(2.5, 2.5, 2.5))
    # on the lateral wall of the left lung: surface at x = 74 + 62
    center = np.array([120.0, 0.0, 136.0 - 4.0 - depth_mm])
    world = chest.grid.to_world(np.stack(np.indices(chest.hu.shape), axis=-1))
    nodule = np.linalg.norm(world - center, axis=-1) < 6
    hu = np.where(nodule, 60, chest.hu).astype(np.int16)
    labels = segment_lungs(hu, chest.grid)
    assert (labels[nodule & (chest.lungs > 0)] == 1).mean() > 0.7
    assert labels[tuple(np.round(chest.grid.to_index(center)).astype(int))] == 1


@pytest.mark.parametrize("diameter_mm", [16.0, 22.0, 30.0])
@pytest.mark.parametrize("angle", [-0.6, 0.0, 0.8])
def test_large_nodule_in_the_pleura_keeps_its_centre(draw, diameter_mm, angle):
    chest = draw(spacing=(2.5, 2.5, 2.5))
    # half of its radius below the lateral surface of the left lung (an ellipse of 85 x 62 mm around x = 74)
    surface = np.array([120.0, 85 * np.sin(angle), 74 + 62 * np.cos(angle)])
    inward = np.array([0.0, -np.sin(angle) / 85, -np.cos(angle) / 62])
    center = surface + diameter_mm / 4 * inward / np.linalg.norm(inward)
    world = chest.grid.to_world(np.stack(np.indices(chest.hu.shape), axis=-1))
    hu = np.where(np.linalg.norm(world - center, axis=-1) < diameter_mm / 2, 40, chest.hu).astype(np.int16)
    dilated = dilate_mm(segment_lungs(hu, chest.grid), chest.grid.spacing_zyx_mm, 5.0)
    assert dilated[tuple(np.round(chest.grid.to_index(center)).astype(int))]


def test_vessels_are_inside(draw):
    chest = draw()
    world = chest.grid.to_world(np.stack(np.indices(chest.hu.shape), axis=-1))
    vessel = (np.hypot(world[..., 0] - 90, world[..., 1] - 10) < 3.5) & (chest.lungs == 1)
    labels = segment_lungs(np.where(vessel, 100, chest.hu).astype(np.int16), chest.grid)
    assert (labels[vessel] == 1).mean() > 0.9


@pytest.mark.parametrize("value", [-1000, 40])
def test_scan_without_lungs_gives_nothing(value):
    grid = Grid((20, 30, 40), (3.0, 3.0, 3.0))
    hu = np.full(grid.shape_zyx, value, dtype=np.int16)
    assert not segment_lungs(hu, grid).any()


def test_lower_half_only(chest):
    half = chest.hu.shape[0] // 2
    grid = Grid((half, *chest.grid.shape_zyx[1:]), chest.grid.spacing_zyx_mm, chest.grid.origin_zyx_mm)
    labels = segment_lungs(Scan("1.2", chest.hu[:half].copy(), grid).hu, grid)
    truth = chest.lungs[:half]
    assert 2 * ((labels > 0) & (truth > 0)).sum() / ((labels > 0).sum() + (truth > 0).sum()) > 0.97


@pytest.mark.parametrize("range_hu", [(-1000, 1000), (-1000, 0), (-1000, -300)])
def test_noise_ends_with_an_answer(range_hu):
    # a million crumbs of air: none of them may be looked at one by one
    hu = np.random.default_rng(0).integers(*range_hu, (130, 150, 150)).astype(np.int16)
    assert segment_lungs(hu, Grid(hu.shape, (2.0, 2.0, 2.0))).shape == hu.shape
