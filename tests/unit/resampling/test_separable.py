"""Sampling axis by axis: by hand, and beside SimpleITK and scipy on any grids whose axes run along one another."""

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lungpipe.geometry import Grid
from lungpipe.resampling.resample import to_image
from lungpipe.resampling.separable import find_taps, match_axes, resample_along_axes, take_along_axes

TURNS = [
    tuple(
        tuple(float(sign) if column == axis else 0.0 for column in range(3))
        for axis, sign in zip(order, signs, strict=True)
    )
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
OBLIQUE = ((1.0, 0.0, 0.0), (0.0, np.cos(0.01), -np.sin(0.01)), (0.0, np.sin(0.01), np.cos(0.01)))
spacings = st.tuples(*[st.floats(0.3, 3.0)] * 3)
shapes = st.tuples(*[st.integers(2, 9)] * 3)
origins = st.tuples(*[st.floats(-20, 20)] * 3)


def simpleitk(values, source, target):
    image = SimpleITK.Cast(to_image(values, source), SimpleITK.sitkFloat64)
    reference = to_image(np.zeros(target.shape_zyx, np.int16), target)
    resampled = SimpleITK.Resample(image, reference, SimpleITK.Transform(), SimpleITK.sitkLinear, -1024.0)
    return SimpleITK.GetArrayFromImage(resampled)


@settings(max_examples=150, deadline=None)
@given(shapes, spacings, origins, st.sampled_from(TURNS), shapes, spacings, origins, st.sampled_from(TURNS))
def test_agrees_with_simpleitk(shape, spacing, origin, turn, shape_to, spacing_to, origin_to, turn_to):
    source, target = Grid(shape, spacing, origin, turn), Grid(shape_to, spacing_to, origin_to, turn_to)
    values = np.random.default_rng(0).integers(-1000, 2000, shape).astype(np.int16)
    expected = simpleitk(values, source, target)
    resampled = resample_along_axes(values, source, target, fill=-1024, threads=2)
    # on the border of the scan, half a voxel beyond its centres, rounding decides what is inside
    index = source.to_index(target.to_world(np.stack(np.indices(shape_to), axis=-1)))
    is_decided = (np.abs(np.abs(index - (np.asarray(shape) - 1) / 2) - np.asarray(shape) / 2) > 1e-6).all(axis=-1)
    assert np.abs(resampled - expected)[is_decided].max(initial=0) <= 0.501


@settings(max_examples=100, deadline=None)
@given(shapes, spacings, origins, st.sampled_from(TURNS), shapes, spacings, origins)
def test_nearest_labels_agree_with_simpleitk(shape, spacing, origin, turn, shape_to, spacing_to, origin_to):
    source, target = Grid(shape, spacing, origin, turn), Grid(shape_to, spacing_to, origin_to)
    labels = np.random.default_rng(0).integers(1, 200, shape).astype(np.uint8)
    reference = to_image(np.zeros(shape_to, np.uint8), target)
    nearest = SimpleITK.Resample(
        to_image(labels, source), reference, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor, 0.0
    )
    # halfway between two voxels rounding decides
    index = source.to_index(target.to_world(np.stack(np.indices(shape_to), axis=-1)))
    is_decided = (np.abs(index - np.floor(index) - 0.5) > 1e-5).all(axis=-1)
    taken = take_along_axes(labels, source, target)
    np.testing.assert_array_equal(taken[is_decided], SimpleITK.GetArrayFromImage(nearest)[is_decided])


def test_taps_by_hand():
    # 4 voxels 2 mm apart from 10 mm on; 6 points 1.5 mm apart from 8.5 mm on
    taps = find_taps(Grid((4, 1, 1), (2.0, 1, 1), (10.0, 0, 0)), Grid((6, 1, 1), (1.5, 1, 1), (8.5, 0, 0)), 0)
    # places: -0.75, 0, 0.75, 1.5, 2.25, 3
    assert taps.is_inside.tolist() == [False, True, True, True, True, True]
    assert taps.voxels.tolist() == [[0, 0, 0, 1, 2, 3], [1, 1, 1, 2, 3, 3]]
    assert taps.weights.tolist() == [[1, 1, 0.25, 0.5, 0.75, 1], [0, 0, 0.75, 0.5, 0.25, 0]]


def test_smoothed_taps_by_hand():
    # a Gaussian of 1 voxel reaches 4 voxels; a point halfway takes half of two of them
    source, target = Grid((9, 1, 1), (2.0, 1, 1)), Grid((2, 1, 1), (7.0, 1, 1), (2.0, 0, 0))
    taps = find_taps(source, target, 0, sigma_mm=2.0)
    gaussian = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    gaussian /= gaussian.sum()
    # the points lie at voxels 1 and 4.5; what is beyond the first and the last voxel is taken from these
    assert taps.voxels[:, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert taps.voxels[:, 1].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    np.testing.assert_allclose(taps.weights[:, 0], [*gaussian, 0], rtol=1e-6)
    np.testing.assert_allclose(taps.weights[:, 1], (np.append(gaussian, 0) + np.append(0, gaussian)) / 2, rtol=1e-6)


sigmas = st.tuples(*[st.one_of(st.just(0.0), st.floats(0.1, 3.0))] * 3)


@settings(max_examples=100, deadline=None)
@given(shapes, spacings, st.sampled_from(TURNS), shapes, spacings, origins, sigmas)
def test_smoothing_is_the_gaussian_of_scipy(shape, spacing, turn, shape_to, spacing_to, origin_to, sigma):
    source, target = Grid(shape, spacing, (1.0, -2.0, 3.0), turn), Grid(shape_to, spacing_to, origin_to)
    values = np.random.default_rng(0).integers(-1000, 2000, shape).astype(np.int16)
    radius = [int(np.ceil(4 * s / step)) for s, step in zip(sigma, spacing, strict=True)]
    in_vox = [s / step for s, step in zip(sigma, spacing, strict=True)]
    smooth = ndimage.gaussian_filter(values.astype(float), in_vox, mode="nearest", radius=radius)
    expected = simpleitk(smooth, source, target)
    resampled = resample_along_axes(values, source, target, fill=-1024, sigma_zyx_mm=sigma)
    index = source.to_index(target.to_world(np.stack(np.indices(shape_to), axis=-1)))
    is_decided = (np.abs(np.abs(index - (np.asarray(shape) - 1) / 2) - np.asarray(shape) / 2) > 1e-6).all(axis=-1)
    assert np.abs(resampled - expected)[is_decided].max(initial=0) <= 0.502


def test_flipped_axis_is_read_backwards():
    flipped = Grid((1, 1, 3), (1.0, 1.0, 1.0), (0.0, 0.0, 2.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    values = np.array([[[30, 20, 10]]], dtype=np.int16)
    upright = Grid((1, 1, 5), (1.0, 1.0, 0.5))
    assert resample_along_axes(values, flipped, upright, fill=0).tolist() == [[[10, 15, 20, 25, 30]]]


def test_values_are_rounded_to_the_nearest():
    values = np.array([[[0, 10, -10]]], dtype=np.int16)
    fine = Grid((1, 1, 9), (1.0, 1.0, 0.25))
    assert resample_along_axes(values, Grid((1, 1, 3)), fine, fill=9).tolist() == [[[0, 2, 5, 8, 10, 5, 0, -5, -10]]]


@pytest.mark.parametrize("value", [-1024, -1000, 40, 3071])
def test_what_is_constant_stays_so(value):
    values = np.full((6, 7, 8), value, np.int16)
    source = Grid(values.shape, (0.45, 0.7, 1.3))
    for sigma in ((0.0, 0.0, 0.0), (0.8, 0.3, 2.0)):
        resampled = resample_along_axes(values, source, source.resampled((1.0, 1.0, 1.0)), fill=0, sigma_zyx_mm=sigma)
        assert (resampled == value).all()


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_threads_do_not_change_the_values(threads):
    values = np.random.default_rng(1).integers(-1000, 2000, (7, 8, 9)).astype(np.int16)
    source = Grid(values.shape, (2.0, 0.7, 0.9))
    target = source.resampled((1.0, 1.0, 1.0))
    expected = resample_along_axes(values, source, target, fill=0)
    np.testing.assert_array_equal(resample_along_axes(values, source, target, fill=0, threads=threads), expected)


def test_axes_are_matched_through_flips_and_permutations_only():
    permuted = ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    # array axes z, y, x of the source run along world y, x, -z
    assert match_axes(Grid((4, 4, 4), direction_zyx=permuted), Grid((4, 4, 4))) == (2, 0, 1)
    assert match_axes(Grid((4, 4, 4), direction_zyx=OBLIQUE), Grid((4, 4, 4))) is None
    with pytest.raises(ValueError, match="expected axes along those of the source"):
        resample_along_axes(np.zeros((4, 4, 4)), Grid((4, 4, 4), direction_zyx=OBLIQUE), Grid((4, 4, 4)), fill=0)
