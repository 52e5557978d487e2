import numpy as np
import pytest
from PIL import Image

from lungpipe.geometry import Grid
from lungpipe.reporting.candidates_figure import draw_candidates, read_axial_patch
from lungpipe.reporting.examples import Example, Examples
from lungpipe.reporting.style import house_style
from lungpipe.volumes.writer import write_volume


def store_of(tmp_path, hu, grid):
    write_volume(tmp_path / "a.ome.zarr", hu, grid, np.ones(hu.shape, np.uint8), series_uid="a", attributes={})
    return tmp_path / "a.ome.zarr"


def test_the_patch_puts_the_finding_where_the_world_says(tmp_path):
    """One bright voxel, off the grid by a fraction: its edges in mm must surround the finding's own place."""
    grid = Grid((5, 100, 80), (2.0, 0.5, 1.0), (10.0, -7.0, 30.0))
    hu = np.full(grid.shape_zyx, -800, np.int16)
    hu[2, 60, 40] = 300
    center = grid.to_world((2.3, 60.2, 39.9))
    patch = read_axial_patch(store_of(tmp_path, hu, grid), Example("a", tuple(center), 5.0, 0.5))
    assert patch.hu.shape == (96, 48)
    (row,), (column,) = np.nonzero(patch.hu == 300)
    left, right, bottom, top = patch.extent_mm
    assert (right - left, bottom - top) == pytest.approx((48.0, 48.0))
    assert left + (column + 0.5) * 1.0 == pytest.approx(0.1)
    assert top + (row + 0.5) * 0.5 == pytest.approx(-0.1)


def test_outside_the_volume_is_the_black_of_the_window(tmp_path):
    grid = Grid((5, 20, 20))
    patch = read_axial_patch(
        store_of(tmp_path, np.full(grid.shape_zyx, -900, np.int16), grid), Example("a", (2.0, 0.0, 0.0), 5.0, 0.5)
    )
    assert set(np.unique(patch.hu)) == {-1000, -900}
    assert (patch.hu == -900).sum() == 20 * 20


def draw(tmp_path, stores, examples):
    with house_style():
        draw_candidates(examples, stores, 6, tmp_path / "candidates.png")
    return Image.open(tmp_path / "candidates.png").convert("RGB")


def num_pixels(image, colour):
    return int((np.asarray(image) == colour).all(axis=-1).sum())


def test_the_circle_grows_with_the_diameter(tmp_path):
    grid = Grid((5, 60, 60))
    store = store_of(tmp_path, np.full(grid.shape_zyx, -800, np.int16), grid)
    green, lengths = (0x00, 0x9E, 0x73), []
    for diameter in (10.0, 20.0):
        shown = (Example("a", (2.0, 30.0, 30.0), diameter, 0.9),)
        lengths.append(num_pixels(draw(tmp_path, {"a": store}, [Examples("hits", shown, 1)]), green))
    assert lengths[1] / lengths[0] == pytest.approx(2.0, rel=0.1)


def test_a_scan_without_a_volume_and_an_empty_row_are_drawn_without_a_patch(tmp_path):
    shown = (Example("gone", (2.0, 30.0, 30.0), 5.0, None),)
    image = draw(tmp_path, {}, [Examples("misses", shown, 1), Examples("hits", (), 0)])
    assert num_pixels(image, (0xE6, 0x9F, 0x00)) == 0
    assert num_pixels(image, (255, 255, 255)) > 0.9 * image.width * image.height
    assert num_pixels(image, (0x6B, 0x6B, 0x6B)) > 0  # the words that say so
    # the empty row is its title alone
    alone = draw(tmp_path, {}, [Examples("misses", shown, 1)])
    assert 0 < image.height - alone.height < 0.3 * alone.height


def test_a_given_candidate_without_a_diameter_is_drawn_without_a_circle(tmp_path):
    store = store_of(tmp_path, np.full((5, 60, 60), -800, np.int16), Grid((5, 60, 60)))
    pages = []
    for diameter in (float("nan"), 12.0):
        shown = (Example("a", (2.0, 30.0, 30.0), diameter, 0.5),)
        with house_style():
            draw_candidates([Examples("false_positives", shown, 1)], {"a": store}, 1, tmp_path / "c.png")
        pages.append(np.asarray(Image.open(tmp_path / "c.png")))
    assert (pages[0] != pages[1]).any()
