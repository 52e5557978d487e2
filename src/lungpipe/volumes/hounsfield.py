"""From stored HU to the intensities that networks read."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from lungpipe.settings.recipe import Normalisation


AIR_HU = -1024
"""What lies outside a scan."""
_UNIFORM_MEAN = np.float32(0.5)
_UNIFORM_STD = np.float32(1.0 / np.sqrt(12.0))


def scale_intensity(hu: ArrayLike, window_hu: tuple[int, int], normalisation: "Normalisation") -> NDArray[np.float32]:
    """Clip HU (any shape) to the window (low, high) and scale them to float32 intensities.

    `zero_one`: the window becomes [0, 1]. `byte`: whole numbers 0..255. `zero_centre`: [0, 1] less the mean 1/2, by the
    standard deviation 1/sqrt(12) of the uniform distribution, so that the window becomes [-sqrt(3), sqrt(3)]; the
    constants are fixed, so that no scan's intensities depend on the other scans of a dataset.

    Raises:
        ValueError: a window whose low end is not below its high end, or an unknown normalisation.
    """
    low, high = window_hu
    if not low < high:
        raise ValueError(f"window_hu: expected low < high, found {window_hu}")
    unit = np.asarray(hu).astype(np.float32)
    np.clip(unit, low, high, out=unit)
    unit -= np.float32(low)
    unit *= np.float32(1.0 / (high - low))
    if normalisation == "zero_one":
        return unit
    if normalisation == "zero_centre":
        unit -= _UNIFORM_MEAN
        unit /= _UNIFORM_STD
        return unit
    if normalisation == "byte":
        unit *= np.float32(255.0)
        return np.rint(unit, out=unit)
    raise ValueError(f"normalisation: expected zero_one, zero_centre or byte, found {normalisation!r}")
