"""Resample a scan, or labels, onto another grid through the full direction matrix.

SimpleITK is imported for oblique scans alone: all others are resampled along their axes.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.resampling.separable import match_axes, resample_along_axes, take_along_axes
from lungpipe.terms import AIR_HU

if TYPE_CHECKING:
    import SimpleITK

ANTI_ALIAS_FACTOR = 2.0
"""Only axes that are down-sampled by at least this factor are smoothed first: below, smoothing loses more detail than
aliasing. A scan of 0.7 mm is not smoothed for 1 mm."""


def resample(scan: Scan, grid: Grid, *, threads: int = 1) -> NDArray[np.int16]:
    """Return the scan's HU (int16, zyx) on `grid`: linear, rounded to the nearest HU, air (-1024) outside the scan.

    Axes that the grid samples at least twice as coarsely are smoothed before with a Gaussian that changes the scan's
    point spread to the grid's (Cardoso et al., "Scale factor point spread function matching", MICCAI 2015).
    """
    if grid == scan.grid:
        return scan.hu
    sigma = anti_alias_sigma_mm(scan.grid, grid)
    if match_axes(scan.grid, grid) is not None:
        return resample_along_axes(scan.hu, scan.grid, grid, fill=AIR_HU, sigma_zyx_mm=sigma, threads=threads)
    hu = scan.hu
    if any(sigma):
        hu = resample_along_axes(hu, scan.grid, scan.grid, fill=AIR_HU, sigma_zyx_mm=sigma, threads=threads)
    return _resample_oblique(to_image(hu, scan.grid), grid, threads)


def _resample_oblique(image: "SimpleITK.Image", grid: Grid, threads: int) -> NDArray[np.int16]:
    import SimpleITK

    resampler = make_resampler(grid, SimpleITK.sitkLinear)
    resampler.SetDefaultPixelValue(AIR_HU)
    # an integer output would be truncated toward zero
    resampler.SetOutputPixelType(SimpleITK.sitkFloat32)
    resampler.SetNumberOfThreads(threads)
    resampled = resampler.Execute(image)
    values = SimpleITK.GetArrayViewFromImage(resampled)
    hu = np.empty(grid.shape_zyx, dtype=np.int16)
    # slice by slice: no second float copy of the whole volume
    for index in range(hu.shape[0]):
        hu[index] = np.rint(values[index])
    return hu


def resample_labels(labels: NDArray[np.uint8], source: Grid, target: Grid) -> NDArray[np.uint8]:
    """Return labels (uint8, zyx) on another grid by nearest neighbour, 0 outside."""
    if match_axes(source, target) is not None:
        return take_along_axes(labels, source, target)
    import SimpleITK

    resampler = make_resampler(target, SimpleITK.sitkNearestNeighbor)
    return SimpleITK.GetArrayFromImage(resampler.Execute(to_image(labels, source)))


def anti_alias_sigma_mm(source: Grid, target: Grid) -> tuple[float, float, float]:
    """Return the smoothing of each array axis (zyx) of `source` before sampling on `target`; 0 without smoothing."""
    cosines = np.abs(np.asarray(source.direction_zyx).T @ np.asarray(target.direction_zyx))
    spacing = np.asarray(source.spacing_zyx_mm)
    step = np.asarray(target.spacing_zyx_mm)[np.argmax(cosines, axis=1)]
    # both point spreads as Gaussians with a full width at half maximum of one voxel
    sigma = np.sqrt(np.maximum(step**2 - spacing**2, 0.0)) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    z, y, x = (float(s) if big else 0.0 for s, big in zip(sigma, step / spacing >= ANTI_ALIAS_FACTOR, strict=True))
    return (z, y, x)


def make_resampler(grid: Grid, interpolator: int) -> "SimpleITK.ResampleImageFilter":
    """Return SimpleITK's filter onto a grid, 0 outside."""
    import SimpleITK

    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize(grid.size_xyz)
    resampler.SetOutputSpacing(grid.spacing_xyz_mm)
    resampler.SetOutputOrigin(grid.origin_xyz_mm)
    resampler.SetOutputDirection(grid.direction_xyz)
    resampler.SetInterpolator(interpolator)
    return resampler


def to_image(array: NDArray[np.generic], grid: Grid) -> "SimpleITK.Image":
    """Return a SimpleITK image of an array (zyx) on its grid."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_xyz_mm)
    image.SetOrigin(grid.origin_xyz_mm)
    image.SetDirection(grid.direction_xyz)
    return image
