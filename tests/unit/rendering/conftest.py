"""A small chest: two balls of lung in tissue, the left one with a nodule and vessels."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.rendering.chest import cut_chest
from lungpipe.volumes.volume import MemoryVolume

ORIGIN = (-100.0, -60.0, -40.0)
LEFT, RIGHT = (20.0, 20.0, 56.0), (20.0, 20.0, 24.0)
"""Voxels (zyx); x runs to the patient's left."""


def distance(shape, center):
    return np.linalg.norm(np.stack(np.indices(shape), axis=-1) - np.asarray(center), axis=-1)


@pytest.fixture(scope="session")
def volume():
    shape = (40, 40, 80)
    hu = np.full(shape, 40, np.int16)
    lungs = np.zeros(shape, np.uint8)
    for label, center in ((1, LEFT), (2, RIGHT)):
        lungs[distance(shape, center) < 14] = label
    rng = np.random.default_rng(0)
    hu[lungs > 0] = rng.normal(-850, 20, int((lungs > 0).sum()))
    hu[distance(shape, LEFT) < 4] = 60
    return MemoryVolume("1.2.3", Grid(shape, (1.0, 1.0, 1.0), ORIGIN), hu, lungs)


@pytest.fixture(scope="session")
def chest(volume):
    return cut_chest(volume)
