"""Measures of drawn nodules: HU inside and around, tissue, shape."""

import numpy as np
import pytest

from lungpipe.candidates.measures import measure, measure_nodules
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.volumes.volume import MemoryVolume

GRID = Grid((40, 60, 60), (1.5, 1.0, 1.0), (-20.0, 5.0, 7.0))
CENTER = (7.0, 35.0, 36.0)


def volume_of(*balls, air=-850):
    hu = np.full(GRID.shape_zyx, air, dtype=np.int16)
    for center, diameter, value in balls:
        hu[sphere_mask(GRID, center, diameter)] = value
    return MemoryVolume("1.1", GRID, hu)


def test_an_even_ball_is_measured_as_it_was_drawn():
    found = measure(volume_of((CENTER, 12.0, 40)), CENTER, 12.0)
    assert (found["mean_hu"], found["low_hu"], found["high_hu"], found["deviation_hu"]) == (40, 40, 40, 0)
    assert (found["calcified_share"], found["shell_hu"], found["attached_share"]) == (0, -850, 0)
    assert found["tissue_mm"] == pytest.approx(12.0, rel=0.03)
    assert found["elongation"] == pytest.approx(1.0, abs=0.08)
    assert found["fill_share"] > 0.75
    # z: 7 mm is index 18, 18.5 voxels of 1.5 mm from the border
    assert found["border_mm"] == pytest.approx(18.5 * 1.5)


def test_calcium_in_the_middle_shows_in_its_share_and_in_the_high_hu():
    found = measure(volume_of((CENTER, 12.0, 40), (CENTER, 6.0, 400)), CENTER, 12.0)
    assert found["calcified_share"] == pytest.approx(1 / 8, rel=0.15)
    assert (found["low_hu"], found["high_hu"]) == (40, 400)


def test_tissue_beside_a_nodule_shows_in_the_shell():
    wall = volume_of((CENTER, 12.0, 40))
    wall.hu[:, 36:, :] = 20
    found = measure(wall, CENTER, 12.0)
    assert 0.1 < found["attached_share"] < 0.5
    assert found["shell_hu"] > -850


def test_metal_does_not_change_a_mean():
    one, other = (measure(volume_of((CENTER, 12.0, value)), CENTER, 12.0) for value in (1000, 3000))
    assert one == other


def test_two_balls_in_a_row_are_longer_and_fill_less():
    near = (CENTER[0], CENTER[1] + 6.0, CENTER[2])
    one, two = (
        measure(volume_of((CENTER, 8.0, 40)), CENTER, 12.0),
        measure(volume_of((CENTER, 8.0, 40), (near, 8.0, 40)), CENTER, 16.0),
    )
    assert two["elongation"] > 1.3 * one["elongation"]
    assert two["fill_share"] < 0.8 * one["fill_share"]


def test_a_speck_on_air_has_finite_measures():
    for balls in ((), ((CENTER, 0.5, 40),)):
        found = measure(volume_of(*balls), CENTER, 1.0)
        assert all(np.isfinite(value) for value in found.values())


def test_an_unknown_diameter_means_10_mm():
    volume = volume_of((CENTER, 10.0, 40))
    assert measure(volume, CENTER, -1.0) == measure(volume, CENTER, 10.0)


def test_nodules_of_the_stores_alone_are_measured(write_store, make_nodules):
    store = write_store("1.1", volume_of((CENTER, 12.0, 40)).hu, GRID.spacing_zyx_mm, origin=GRID.origin_zyx_mm)
    nodules = make_nodules(
        ("1.1", CENTER, 12.0, None), ("1.2", CENTER, 12.0, None), ("1.1", (999.0, 0.0, 0.0), 5.0, None)
    )
    told = []
    table = measure_nodules({"1.1": store}, nodules, told.append)
    assert table["nodule_id"].tolist() == ["1.1#0"]
    assert table["mean_hu"].tolist() == [40]
    assert told == ["1.1: 2 nodules"]
    assert len(measure_nodules({}, nodules)) == 0
