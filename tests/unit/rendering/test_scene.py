"""Pictures of a scene, by where their colours are."""

from dataclasses import replace

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.rendering.chest import Chest
from lungpipe.rendering.marks import Mark
from lungpipe.rendering.scene import Scene
from lungpipe.rendering.transfer import make_transfer

SIZE = 120
WORLD_LEFT, WORLD_RIGHT = (-80.0, -40.0, 16.0), (-80.0, -40.0, -16.0)
"""The middles of the lungs, mm."""


def drawn(chest, name="linear", angle=0.0, marks=(), heat=None, is_outlined=False):
    scene = Scene(SIZE)
    scene.add_lungs(chest, make_transfer(name, chest.hu))
    scene.add_marks(marks, is_outlined=is_outlined)
    if heat is not None:
        scene.add_heat(heat, chest.grid)
    return scene.draw(angle).astype(int)


def middle_column(mask):
    return np.argwhere(mask)[:, 1].mean()


def middle_row(mask):
    return np.argwhere(mask)[:, 0].mean()


def reddish(pixels):
    return (pixels[..., 0] > 150) & (pixels[..., 0] > pixels[..., 2] + 80)


def bluish(pixels):
    return (pixels[..., 2] > 120) & (pixels[..., 2] > pixels[..., 0] + 80)


def test_the_lungs_are_there_on_a_white_ground(chest):
    pixels = drawn(chest)
    assert pixels.shape == (SIZE, SIZE, 3)
    assert (pixels[0] == 255).all()
    is_drawn = (pixels < 250).any(axis=-1)
    assert 0.15 < is_drawn.mean() < 0.8
    # two balls: nothing between them
    assert is_drawn[:, SIZE // 2].mean() < 0.1


@pytest.mark.parametrize("name", ["linear", "otsu"])
def test_the_nodule_is_the_darkest_place(chest, name):
    pixels = drawn(chest, name).sum(axis=-1)
    row, column = np.unravel_index(pixels.argmin(), pixels.shape)
    assert pixels.min() < pixels[:, : SIZE // 2].min() - 60
    assert column > SIZE / 2
    assert abs(row - SIZE / 2) < SIZE / 6


def test_the_gradient_leaves_even_tissue_clear(chest):
    even = Chest("1.2.3", np.full((30, 30, 30), 40, np.int16), None, Grid((30, 30, 30)))
    shares = {name: (drawn(even, name) < 250).any(axis=-1).mean() for name in ("linear", "gradient")}
    assert shares["linear"] > 0.15
    assert shares["gradient"] < 0.01
    # the walls of the lungs are borders
    assert (drawn(chest, "gradient") < 200).any(axis=-1).mean() > 0.15


def test_otsu_shows_the_nodule_alone(chest):
    empty = replace(chest, hu=np.where(chest.hu > -300, np.int16(-850), chest.hu))
    threshold = make_transfer("otsu", chest.hu)
    pictures = []
    for one in (chest, empty):
        scene = Scene(SIZE)
        scene.add_lungs(one, threshold)
        pictures.append(scene.draw().astype(int))
    is_changed = np.abs(pictures[0] - pictures[1]).sum(axis=-1) > 100
    # a ball of 4 mm in a picture of about 110 mm
    assert 10 < is_changed.sum() < 200
    assert middle_column(is_changed) > SIZE / 2


def test_the_patients_left_is_on_the_right_of_the_picture_from_the_front(chest):
    marks = [Mark(WORLD_LEFT, 10.0, 1.0), Mark(WORLD_RIGHT, 10.0, 0.0)]
    front, back = drawn(chest, marks=marks), drawn(chest, marks=marks, angle=180.0)
    assert middle_column(reddish(front)) > SIZE / 2 > middle_column(bluish(front))
    assert middle_column(reddish(back)) < SIZE / 2 < middle_column(bluish(back))
    # from the patient's left the nodule of the left lung hides that of the right lung
    side = drawn(chest, marks=marks, angle=90.0)
    assert reddish(side).sum() > 20
    assert bluish(side).sum() < reddish(side).sum() / 4


def test_the_head_is_at_the_top(chest):
    high, low = Mark((-72.0, -40.0, 16.0), 6.0, 1.0), Mark((-88.0, -40.0, 16.0), 6.0, 0.0)
    pixels = drawn(chest, marks=[high, low])
    assert middle_row(reddish(pixels)) < middle_row(bluish(pixels))


def test_heat_is_seen_through_the_lungs_at_its_place(chest):
    heat = np.zeros(chest.grid.shape_zyx, np.float32)
    z, y, x = np.round(chest.grid.to_index(WORLD_RIGHT)).astype(int)
    heat[z - 4 : z + 5, y - 4 : y + 5, x - 4 : x + 5] = 1.0
    plain, hot = drawn(chest, "otsu"), drawn(chest, "otsu", heat=heat)
    is_changed = np.abs(hot - plain).sum(axis=-1) > 100
    assert is_changed.sum() > 20
    assert middle_column(is_changed) < SIZE / 2
    # yellow and red take away blue, and leave red
    lost = (plain - hot)[is_changed]
    assert (lost[:, 2] > lost[:, 0] + 20).mean() > 0.95


def test_weak_heat_is_not_shown(chest):
    heat = np.full(chest.grid.shape_zyx, 0.3, np.float32)
    np.testing.assert_array_equal(drawn(chest, heat=heat), drawn(chest))


def test_an_outlined_mark_lets_the_heat_through(chest):
    mark = [Mark(WORLD_RIGHT, 12.0, 0.0)]
    solid, lines = drawn(chest, marks=mark), drawn(chest, marks=mark, is_outlined=True)
    assert 0 < bluish(lines).sum() < bluish(solid).sum()


def test_the_same_scene_gives_the_same_picture(chest):
    np.testing.assert_array_equal(drawn(chest, "gradient", 30.0), drawn(chest, "gradient", 30.0))


def test_a_grid_in_the_world_places_the_heat(chest):
    # the same map on a coarser grid of its own
    coarse = Grid((9, 9, 9), (2.0, 2.0, 2.0), (-88.0, -48.0, -24.0))
    scene = Scene(SIZE)
    scene.add_lungs(chest, make_transfer("linear", chest.hu))
    scene.add_heat(np.ones((9, 9, 9), np.float32), coarse)
    pixels = scene.draw().astype(int)
    assert middle_column(reddish(pixels)) < SIZE / 2
