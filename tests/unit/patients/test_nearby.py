"""What a detector finds at positions: cubes in the scan's world, the best finding in reach, and nothing elsewhere."""

import numpy as np
import pytest

from lungpipe.candidates import Detections
from lungpipe.geometry import Grid
from lungpipe.patients.nearby import cut_cube, find_nearby
from lungpipe.volumes.volume import MemoryVolume

GRID = Grid((50, 90, 80), (2.0, 1.0, 1.0), (-30.0, 10.0, -5.0))


@pytest.fixture
def volume():
    hu = np.random.default_rng(0).integers(-1000, 400, GRID.shape_zyx).astype(np.int16)
    return MemoryVolume("1.2", GRID, hu)


class Finder:
    """Finds the brightest voxel of what it is given, and one 20 mm beside with a higher score."""

    def detect(self, volume, *, region):
        assert region == "whole"
        place = volume.grid.to_world(np.unravel_index(int(volume.hu.argmax()), volume.hu.shape))
        centers = np.stack([place, place + np.array([0, 20.0, 0])])
        return Detections(centers, np.array([6.0, 9.0]), np.array([0.7, 0.9]))


def test_a_cube_is_64_mm_wide_in_the_world_of_its_scan(volume):
    center = np.array([20.0, 50.0, 30.0])
    cube = cut_cube(volume, center)
    assert cube.grid.shape_zyx == (32, 64, 64)
    for point in (center, [-10.0, 20.0, 5.0]):
        one, other = (tuple(np.round(v.grid.to_index(point)).astype(int)) for v in (volume, cube))
        assert volume.hu[one] == cube.hu[other]


@pytest.mark.parametrize(("distance", "expected"), [(0.0, (6.0, 0.7)), (4.9, (6.0, 0.7)), (5.1, (np.nan, np.nan))])
def test_a_finding_counts_within_its_reach(volume, distance, expected):
    volume.hu[25, 45, 40] = 3000
    place = GRID.to_world((25, 45, 40))
    found = find_nearby(Finder(), volume, [place - [0, distance, 0]])
    np.testing.assert_array_equal((found.diameters_mm[0], found.scores[0]), expected)


def test_of_several_findings_the_most_probable_counts(volume):
    volume.hu[25, 45, 40] = 3000
    finder = Finder()
    finder.detect = lambda cube, region: Detections(
        np.array([[20.0, 55.0, 35.0], [20.0, 57.0, 35.0], [20.0, 95.0, 35.0]]),
        np.array([5.0, 7.0, 9.0]),
        np.array([0.3, 0.6, 0.9]),
    )
    found = find_nearby(finder, volume, [[20.0, 55.0, 35.0]])
    assert (found.diameters_mm.tolist(), found.scores.tolist()) == ([7.0], [0.6])
    assert len(find_nearby(finder, volume, np.zeros((0, 3))).scores) == 0
