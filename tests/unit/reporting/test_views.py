"""Slices as pictures: their sides, sizes, outlines and places."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.reporting.views import View, paint

GRID = Grid((20, 30, 40), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
BOXES = {"axial": (30, 40), "coronal": (20, 40), "sagittal": (20, 30)}


def view(plane, index, scale=2.0):
    rows, columns = BOXES[plane]
    return View(plane, index, (slice(0, rows), slice(0, columns)), scale)


def spot(index_zyx, size=1):
    z, y, x = index_zyx
    hu = np.full(GRID.shape_zyx, -1000, np.int16)
    hu[z : z + size, y : y + size, x : x + size] = 400
    return hu


@pytest.mark.parametrize(("plane", "size"), [("axial", (80, 60)), ("coronal", (80, 80)), ("sagittal", (60, 80))])
def test_a_picture_has_the_same_scale_along_both_sides(plane, size):
    assert view(plane, 5).size(GRID) == size
    assert view(plane, 5).picture(spot((5, 5, 5)), GRID).size == size


@pytest.mark.parametrize(("plane", "index"), [("axial", 4), ("coronal", 8), ("sagittal", 11)])
def test_a_voxel_is_where_its_place_says(plane, index):
    chosen = view(plane, index)
    picture = np.asarray(chosen.picture(spot((4, 8, 11)), GRID))[..., 0]
    row, column = np.unravel_index(np.argmax(picture), picture.shape)
    x, y = chosen.place(np.array([4.0, 8.0, 11.0]), GRID)
    assert abs(column + 0.5 - x) <= 2
    assert abs(row + 0.5 - y) <= 2
    assert np.asarray(view(plane, index + 1).picture(spot((4, 8, 11)), GRID)).max() == 0


def test_the_head_is_at_the_top_and_the_patients_left_on_the_right():
    x, y = view("coronal", 0).place(np.array([19.0, 0.0, 39.0]), GRID)
    assert (x, y) == (79.0, 2.0)
    x, y = view("axial", 0).place(np.array([0.0, 0.0, 39.0]), GRID)
    assert (x, y) == (79.0, 1.0)


def test_an_outline_is_the_border_of_the_labels_but_not_of_the_box():
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[:, 10:20, 10:20] = 2
    edge = view("axial", 3).outline(labels, GRID)
    assert edge.sum() == 4 * 20 - 4
    labels[:, :, 10:] = 1
    edge = view("axial", 3).outline(labels, GRID)
    assert edge.sum() == 60
    assert edge[:, 20].all()


def test_only_the_given_pixels_are_painted():
    pixels = np.zeros((60, 80), bool)
    pixels[3, 4] = True
    painted = np.asarray(paint(view("axial", 0).picture(spot((9, 9, 9)), GRID), pixels, (255, 210, 0)))
    assert tuple(painted[3, 4]) == (255, 210, 0)
    assert painted.sum() == 465


@pytest.mark.parametrize(("plane", "index"), [("axial", 4), ("coronal", 29), ("sagittal", 0)])
def test_the_plane_through_a_place_is_the_nearest_one_inside_the_volume(plane, index):
    place = np.array([4.4, 31.0, -0.7])
    whole = View.through(place, GRID, plane=plane, scale=2.0)
    assert whole == view(plane, index)
    part = View.through(place, GRID, plane=plane, scale=2.0, shown_zyx=(slice(1, 4), slice(2, 9), slice(3, 16)))
    rows, columns = {"axial": ((2, 9), (3, 16)), "coronal": ((1, 4), (3, 16)), "sagittal": ((1, 4), (2, 9))}[plane]
    assert part == View(plane, index, (slice(*rows), slice(*columns)), 2.0)
