"""Smoothed derivatives: like SciPy's, in mm, whatever the spacing."""

import numpy as np
import pytest
from scipy import ndimage

from lungpipe.candidates.derivatives import laplacian, steepness


def test_they_are_those_of_a_reference_for_cubic_voxels():
    hu = np.random.default_rng(0).normal(size=(12, 14, 13))
    ones = np.ones(3)
    np.testing.assert_allclose(
        laplacian(hu, 1.5, ones), ndimage.gaussian_laplace(hu, 1.5, mode="nearest", truncate=4.0), atol=1e-12
    )
    np.testing.assert_allclose(
        steepness(hu, 1.0, ones), ndimage.gaussian_gradient_magnitude(hu, 1.0, mode="nearest", truncate=4.0), atol=1e-12
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slope_and_curvature_are_per_mm(axis):
    spacing = np.array([2.0, 1.0, 0.5])
    position = np.moveaxis(np.broadcast_to(np.arange(-20.0, 21.0) * spacing[axis], (41, 41, 41)), 2, axis)
    middle = (20, 20, 20)
    assert steepness(7.0 * position, 3.0, spacing)[middle] == pytest.approx(7.0, rel=5e-3)
    assert laplacian(3.0 * position**2, 3.0, spacing)[middle] == pytest.approx(6.0, rel=0.03)
