"""Which scans are refused, and the reasons."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.prediction.limits import RefusedScanError, check_lungs, check_slices
from lungpipe.settings import ScanLimits


def grid(slices=60, distance=2.5, *, axis=0):
    shape, spacing = [200, 200, 200], [0.7, 0.7, 0.7]
    shape[axis], spacing[axis] = slices, distance
    return Grid(tuple(shape), tuple(spacing))


def refused(call):
    with pytest.raises(RefusedScanError) as caught:
        call()
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_are_refused_along_any_axis(axis):
    reason, message = refused(lambda: check_slices(grid(40, 5.1, axis=axis), ScanLimits(), "a.mhd"))
    assert reason == "slices_too_thick"
    assert message == "a.mhd: expected slices at most 5 mm apart, found 5.1 mm"


def test_few_slices_are_refused():
    reason, message = refused(lambda: check_slices(grid(19, 2.0), ScanLimits(), "a.mhd"))
    assert reason == "too_few_slices"
    assert message == "a.mhd: expected at least 20 slices, found 19"


def test_slices_between_the_limits_are_remarked():
    assert check_slices(grid(60, 2.5), ScanLimits(), "a") == ()
    assert check_slices(grid(20, 5.0), ScanLimits(), "a") == (
        "slices are 5 mm apart: small nodules may be missed between them",
    )


def test_lungs_must_have_the_volume_of_a_chest():
    cube = Grid((40, 40, 40), (2.0, 1.0, 1.0))
    lungs = np.zeros(cube.shape_zyx, np.uint8)
    lungs[:20, :, :31] = 2
    reason, message = refused(lambda: check_lungs(lungs, cube, ScanLimits(), "a.mhd"))
    assert reason == "no_lungs"
    assert message == "a.mhd: expected a chest CT with at least 50 ml of lung, found 50 ml"
    lungs[:20, :, :32] = 1
    check_lungs(lungs, cube, ScanLimits(), "a.mhd")
