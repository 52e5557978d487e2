"""Smoothed derivatives of HU, each axis filtered on its own."""

import numpy as np
from numpy.typing import NDArray

TRUNCATE = 4.0
"""A Gaussian is cut at this many of its standard deviations."""
FloatArray = NDArray[np.floating]


def steepness(hu: FloatArray, sigma_mm: float, spacing_zyx_mm: FloatArray) -> FloatArray:
    """Return the length of the gradient (HU per mm) of HU (zyx) smoothed by a Gaussian of `sigma_mm`."""
    smooth = _Smoothing(sigma_mm, spacing_zyx_mm)
    along_z, across_z = smooth(hu, 0, 1), smooth(hu, 0, 0)
    z = smooth(smooth(along_z, 1, 0), 2, 0)
    y = smooth(smooth(across_z, 1, 1), 2, 0)
    x = smooth(smooth(across_z, 1, 0), 2, 1)
    return np.sqrt(z**2 + y**2 + x**2)


def laplacian(hu: FloatArray, sigma_mm: float, spacing_zyx_mm: FloatArray) -> FloatArray:
    """Return the Laplacian (HU per mm^2) of HU (zyx) smoothed by a Gaussian of `sigma_mm`."""
    smooth = _Smoothing(sigma_mm, spacing_zyx_mm)
    along_z, across_z = smooth(hu, 0, 2), smooth(hu, 0, 0)
    in_plane = smooth(along_z, 1, 0) + smooth(across_z, 1, 2)
    return smooth(in_plane, 2, 0) + smooth(smooth(across_z, 1, 0), 2, 2)


class _Smoothing:
    def __init__(self, sigma_mm: float, spacing_zyx_mm: FloatArray) -> None:
        self.sigma_mm, self.spacing = sigma_mm, spacing_zyx_mm

    def __call__(self, values: FloatArray, axis: int, order: int) -> FloatArray:
        """Return the derivative of this order along an axis, per mm^order."""
        from scipy import ndimage

        sigma_vox = self.sigma_mm / self.spacing[axis]
        found = ndimage.gaussian_filter1d(values, sigma_vox, axis=axis, order=order, truncate=TRUNCATE, mode="nearest")
        return np.asarray(found / self.spacing[axis] ** order, dtype=values.dtype)
