"""Measures of drawn nodules: HU inside and around, tissue, shape."""

import numpy as np
import pytest
from scipy import ndimage

from lungpipe.candidates.measures import measure, measure_candidate, measure_nodules
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.tables import MEASURES
from lungpipe.tables.measures import LEVELS_HU, PERCENTILES, SHELLS_MM, level_name
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
    assert {found[f"hu_p{percent}"] for percent in PERCENTILES} == {40}
    assert [found[level_name(level)] for level in LEVELS_HU] == pytest.approx([1, 1, 1, 0, 0, 0], abs=0.02)
    assert (found["shell_2_5_hu"], found["shell_2_5_deviation"], found["shell_2_5_tissue"]) == (-850, 0, 0)
    assert found["tissue_mm"] == pytest.approx(12.0, rel=0.03)
    assert found["elongation"] == pytest.approx(1.0, abs=0.08)
    # the standard deviation of a ball along an axis is its radius by sqrt(5)
    assert found["long_mm"] == pytest.approx(6.0 / np.sqrt(5), rel=0.08)
    assert found["fill_share"] > 0.75
    assert (found["tissue_hu"], found["tissue_deviation"], found["tissue_skewness"]) == (40, 0, 0)
    assert found["mass_mg"] == pytest.approx(1.04 * 4 / 3 * np.pi * 6**3, rel=0.08)
    assert found["offset_mm"] < 0.3
    # z: 7 mm is index 18, 18.5 voxels of 1.5 mm from the border
    assert found["border_mm"] == pytest.approx(18.5 * 1.5)
    assert list(found) == [name for name in MEASURES.columns if name != "nodule_id"]


def test_calcium_in_the_middle_shows_in_its_shares_and_in_the_high_hu():
    found = measure(volume_of((CENTER, 12.0, 40), (CENTER, 6.0, 450)), CENTER, 12.0)
    assert found[level_name(400)] == found[level_name(200)] == pytest.approx(1 / 8, rel=0.15)
    assert (found["hu_p10"], found["hu_p98"]) == (40, 450)
    assert found["core_slope"] > measure(volume_of((CENTER, 12.0, 40)), CENTER, 12.0)["core_slope"] + 10


def test_tissue_beside_a_nodule_and_emphysema_show_in_the_shells():
    wall = volume_of((CENTER, 12.0, 40))
    wall.hu[:, 36:, :] = 20
    found, air = measure(wall, CENTER, 12.0), measure(volume_of((CENTER, 12.0, 40), air=-980), CENTER, 12.0)
    assert 0.1 < found["shell_0_2_tissue"] < 0.6
    assert found["shell_0_2_hu"] > -850
    assert [air[f"shell_{low}_{high}_emphysema"] for low, high in SHELLS_MM] == [1, 1, 1]
    assert air["shell_2_5_tissue"] == 0


def test_a_sharp_edge_is_steeper_than_a_blurred_one():
    sharp = volume_of((CENTER, 12.0, 40))
    blurred = MemoryVolume("1.1", GRID, ndimage.gaussian_filter(sharp.hu.astype(float), 1.5).astype(np.int16))
    one, other = (measure(volume, CENTER, 12.0) for volume in (sharp, blurred))
    assert one["edge_mean"] > 1.3 * other["edge_mean"] > 0
    assert one["edge_steep"] >= one["edge_mean"]


def test_a_bright_ball_answers_most_to_the_scale_of_its_size():
    """A ball of radius r has the lowest scale-normalised Laplacian at the scale r / sqrt(3)."""
    small, large = (measure(volume_of((CENTER, size, 40)), CENTER, size) for size in (4.0, 14.0))
    assert small["blob_1_centre"] < small["blob_4_centre"] < 0
    assert large["blob_4_centre"] < large["blob_1_centre"]
    assert all(
        found[f"blob_{scale}_lowest"] <= found[f"blob_{scale}_centre"]
        for found in (small, large)
        for scale in (1, 2, 4)
    )


def test_thin_tissue_is_told_from_a_ball():
    plate = volume_of()
    plate.hu[18, 25:36, 24:35] = 40
    ball, flat = measure(volume_of((CENTER, 8.0, 40)), CENTER, 8.0), measure(plate, CENTER, 8.0)
    assert (flat["thin_share"], flat["flatness"] > 2.0) == (1.0, True)
    assert ball["thin_share"] < 0.5
    assert ball["surface_ratio"] < flat["surface_ratio"]


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
    assert measure_candidate(volume, CENTER, 10.0) == {"diameter_mm": 10.0} | measure(volume, CENTER, 10.0)


def test_nodules_of_the_stores_alone_are_measured(write_store, make_nodules):
    store = write_store("1.1", volume_of((CENTER, 12.0, 40)).hu, GRID.spacing_zyx_mm, origin=GRID.origin_zyx_mm)
    nodules = make_nodules(
        ("1.1", CENTER, 12.0, None), ("1.2", CENTER, 12.0, None), ("1.1", (999.0, 0.0, 0.0), 5.0, None)
    )
    told = []
    table = measure_nodules({"1.1": store}, nodules, told.append)
    assert table["nodule_id"].tolist() == ["1.1#0"]
    assert table["hu_p50"].tolist() == [40]
    assert told == ["1.1: 2 nodules"]
    assert len(measure_nodules({}, nodules)) == 0
