"""Voxel index <-> world, against SimpleITK's own physical points, on any grid."""

from itertools import permutations, product

import numpy as np
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lungpipe.geometry import Grid

_PERMUTED = [
    np.eye(3)[list(order)] * np.array(signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]
_lengths = st.floats(0.05, 20, allow_nan=False)
_places = st.floats(-5000, 5000, allow_nan=False)
_angles = st.floats(-180, 180, allow_nan=False)


@st.composite
def _geometries(draw):
    direction = draw(st.sampled_from(_PERMUTED))
    if draw(st.booleans()):
        direction = Rotation.from_euler("xyz", draw(st.tuples(_angles, _angles, _angles)), degrees=True).as_matrix() @ (
            direction
        )
    # SimpleITK's inverse is NaN for denormal numbers, which no header holds
    direction = np.where(np.abs(direction) < 1e-300, 0.0, direction)
    size = draw(st.tuples(*[st.integers(1, 9)] * 3))
    return size, draw(st.tuples(*[_lengths] * 3)), draw(st.tuples(*[_places] * 3)), direction


def _image(geometry):
    size, spacing, origin, direction = geometry
    image = SimpleITK.Image(*size, SimpleITK.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel().tolist())
    return image


def _grid(geometry):
    size, spacing, origin, direction = geometry
    return Grid.from_xyz(size, spacing, origin, direction.ravel().tolist())


_indices = st.tuples(*[st.floats(-20, 20, allow_nan=False)] * 3)


@given(_geometries(), _indices)
def test_index_to_world_is_simpleitks(geometry, index_xyz):
    expected = _image(geometry).TransformContinuousIndexToPhysicalPoint(index_xyz)
    np.testing.assert_allclose(_grid(geometry).to_world(index_xyz[::-1])[::-1], expected, atol=1e-6)


@given(_geometries(), _indices)
def test_world_to_index_is_simpleitks(geometry, index_xyz):
    image = _image(geometry)
    point = image.TransformContinuousIndexToPhysicalPoint(index_xyz)
    expected = image.TransformPhysicalPointToContinuousIndex(point)
    np.testing.assert_allclose(_grid(geometry).to_index(point[::-1])[::-1], expected, atol=1e-5)


@given(_geometries(), _indices)
def test_round_trip_of_many_points(geometry, index):
    grid = _grid(geometry)
    points = np.stack([np.asarray(index) * factor for factor in (-2, 0, 0.5, 3)])
    np.testing.assert_allclose(grid.to_index(grid.to_world(points)), points, atol=1e-6)


@given(_geometries())
def test_order_of_axes_survives_the_way_out_and_in(geometry):
    grid = _grid(geometry)
    assert Grid.from_xyz(grid.size_xyz, grid.spacing_xyz_mm, grid.origin_xyz_mm, grid.direction_xyz) == grid
    assert grid.direction_xyz == tuple(float(v) for v in geometry[3].ravel())


@given(_geometries(), st.tuples(*[st.floats(0.3, 5)] * 3))
def test_resampled_grid_is_aligned_and_covers_every_voxel_centre(geometry, spacing):
    grid = _grid(geometry)
    target = grid.resampled(spacing)
    assert target.is_axis_aligned
    assert target.spacing_zyx_mm == spacing
    corners = grid.to_world(list(product(*((0, n - 1) for n in grid.shape_zyx))))
    index = target.to_index(corners)
    assert index.min() > -1e-3
    # the last voxel lies less than one step before the far end
    assert (np.asarray(target.shape_zyx) - index.max(axis=0) > -1e-3).all()
    assert (np.asarray(target.shape_zyx) - 1 <= index.max(axis=0) + 1e-3).all()
