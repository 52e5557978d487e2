import numpy as np
import pytest

from lungpipe.phantom.acquisition import draw_acquisition, outside_field, reconstruct, table_coverage
from lungpipe.settings import PhantomSettings


def drawn(is_flipped=False, seed=0, **changes):
    return draw_acquisition(PhantomSettings(**changes), is_flipped, np.random.default_rng(seed))


@pytest.mark.parametrize("is_flipped", [False, True])
def test_the_written_grid_puts_every_voxel_where_the_body_frame_says(is_flipped):
    scan = drawn(is_flipped)
    z, y, x = scan.axes_mm
    marks = np.zeros(scan.grid.shape_zyx, dtype=bool)
    marks[3, 10, 20] = True
    stored = np.argwhere(scan.as_stored(marks))[0]
    body = np.array([z[3], y[10], x[20]])
    np.testing.assert_allclose(scan.grid.to_world(stored), scan.to_world(body), atol=2e-6)


def test_flipped_scans_carry_luna16s_direction():
    assert drawn(True).grid.direction_xyz == (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    assert drawn(False).grid.is_axis_aligned


def test_spacing_lies_in_its_range_and_differs_between_scans():
    grids = [drawn(seed=seed).grid for seed in range(8)]
    assert len({g.spacing_zyx_mm for g in grids}) == 8
    for grid in grids:
        slice_mm, pixel_y, pixel_x = grid.spacing_zyx_mm
        assert 1.0 <= slice_mm <= 1.8
        assert 0.8 <= pixel_y == pixel_x <= 1.15
        extent = np.array(grid.shape_zyx) * grid.spacing_zyx_mm
        np.testing.assert_allclose(extent, [112, 128, 160], atol=2)


def test_origins_are_negative_and_positive():
    z = [drawn(seed=seed).grid.origin_zyx_mm[0] for seed in range(12)]
    assert min(z) < 0 < max(z)


def test_a_fixed_matrix_gives_the_spacing():
    scan = drawn(extent_zyx_mm=(300.0, 300.0, 380.0), matrix_size=512, slice_spacing_mm=(1.0, 1.0))
    assert scan.grid.shape_zyx == (300, 512, 512)
    assert scan.grid.spacing_zyx_mm == (1.0, 0.742188, 0.742188)


@pytest.mark.parametrize("seed", range(6))
def test_noise_has_the_stated_deviation_and_is_correlated_in_plane(seed):
    scan = drawn(seed=seed)
    flat = np.zeros((6, 96, 96), dtype=np.float32)
    shown = reconstruct(flat, np.ones_like(flat), scan, np.random.default_rng(1))
    assert float(shown.std()) == pytest.approx(scan.noise_hu, rel=0.08)
    neighbours = np.corrcoef(shown[:, :, 1:].ravel(), shown[:, :, :-1].ravel())[0, 1]
    slices = np.corrcoef(shown[1:].ravel(), shown[:-1].ravel())[0, 1]
    assert neighbours > 0.2
    assert abs(slices) < 0.05


def test_sharp_kernels_overshoot_and_smooth_ones_do_not():
    edge = np.zeros((1, 40, 40), dtype=np.float32)
    edge[:, :, 20:] = 1000
    scans = [drawn(seed=seed, noise_hu=1e-6) for seed in range(12)]
    assert {scan.is_sharp for scan in scans} == {True, False}
    for scan in scans:
        shown = reconstruct(edge, np.ones_like(edge), scan, np.random.default_rng(0))
        assert (shown.max() > 1050) == scan.is_sharp


def test_the_table_lies_behind_the_back():
    scan = drawn()
    rows = np.flatnonzero(table_coverage(scan, 50.0)[:, scan.grid.shape_zyx[2] // 2] > 0.4)
    y = scan.axes_mm[1][rows]
    assert np.all((y > 50) & (y < 54))
    assert y.size > 0


def test_the_circular_field_spans_the_longer_side():
    scan = drawn()
    outside = outside_field(scan)
    assert outside[0, 0]
    assert not outside[outside.shape[0] // 2].any()
