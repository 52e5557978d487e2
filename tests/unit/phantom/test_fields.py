import numpy as np
import pytest

from lungpipe.phantom.fields import Lattice, on_voxels, signed_distance, smooth_max


@pytest.fixture
def lattice():
    return Lattice.covering((30.0, 40.0, 50.0))


def test_lattice_reaches_beyond_the_box_and_has_a_node_in_the_middle(lattice):
    for axis, half in zip((lattice.z_mm, lattice.y_mm, lattice.x_mm), (30, 40, 50), strict=True):
        assert axis[0] < -half
        assert axis[-1] > half
        assert axis[axis.size // 2] == 0
        np.testing.assert_allclose(np.diff(axis), lattice.step_mm)


def test_a_large_chest_takes_no_more_nodes_along_its_shortest_axis():
    assert min(Lattice.covering((150.0, 150.0, 190.0)).shape_zyx) <= 83


def test_a_linear_field_is_reproduced_exactly_between_nodes(lattice):
    z, y, x = lattice.coordinates()
    field = (2 * z - 3 * y + 0.5 * x + 7).astype(np.float32)
    axes = (np.linspace(-29, 29, 21), np.linspace(-39, 39, 17), np.linspace(-49, 49, 33))
    found = on_voxels(lattice, field, axes).slab(0, 21)
    expected = 2 * axes[0][:, None, None] - 3 * axes[1][None, :, None] + 0.5 * axes[2] + 7
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_slabs_join_to_the_whole(lattice):
    field = lattice.smooth_noise(np.random.default_rng(0), 6.0)
    axes = (np.linspace(-28, 28, 20), np.linspace(-38, 38, 25), np.linspace(-48, 48, 30))
    voxels = on_voxels(lattice, field, axes)
    np.testing.assert_array_equal(np.concatenate([voxels.slab(0, 7), voxels.slab(7, 20)]), voxels.slab(0, 20))


def test_sample_reads_nodes_and_points_between_them(lattice):
    z, y, x = lattice.coordinates()
    field = (z + 10 * y + 100 * x).astype(np.float32)
    points = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0]])
    np.testing.assert_allclose(lattice.sample(field, points), [0.0, 1 - 20 + 300], atol=1e-3)


def test_smooth_noise_is_standardised_and_smooth(lattice):
    noise = lattice.smooth_noise(np.random.default_rng(1), 8.0)
    assert abs(float(noise.mean())) < 1e-3
    assert float(noise.std()) == pytest.approx(1, abs=1e-3)
    neighbours = np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]
    assert neighbours > 0.95


def test_signed_distance_of_a_stretched_sphere_function_is_in_mm(lattice):
    z, y, x = lattice.coordinates()
    ratio = np.sqrt(z**2 + y**2 + x**2) / np.float32(20)
    distance = signed_distance(40 * (ratio - 1), lattice.step_mm, 8.0)
    for radius in (17.0, 20.0, 24.0):
        assert lattice.sample(distance, [0, 0, radius])[0] == pytest.approx(radius - 20, abs=0.2)
    assert float(distance.min()) == -8
    assert float(distance.max()) == 8


def test_smooth_max_is_the_maximum_away_from_the_crease_and_higher_on_it():
    first, second = np.float32([10, 0, 5]), np.float32([0, 10, 5])
    np.testing.assert_allclose(smooth_max(first, second, 4.0), [10, 10, 6])
