"""The colours of heat maps, for slices and for volume renderings."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

PLACES = (0.0, 0.35, 0.7, 1.0)
"""Values of the map between which the colour changes linearly."""
COLOURS = ((1.0, 0.93, 0.45), (1.0, 0.72, 0.15), (0.94, 0.35, 0.10), (0.70, 0.05, 0.10))
"""Colours (red, green, blue; 0 to 1) at PLACES, from pale yellow over orange to dark red."""


def heat_colours(values: ArrayLike) -> NDArray[np.float64]:
    """Return the colours (..., 3; red, green, blue, 0 to 1) of values from 0 to 1."""
    table, places = np.asarray(COLOURS), np.asarray(values, dtype=np.float64)
    return np.stack([np.interp(places, PLACES, table[:, channel]) for channel in range(3)], axis=-1)
