"""Detections: columns that stay together, and shapes that are refused."""

import numpy as np
import pytest

from lungpipe.candidates import Detections, MaskCrop


def three(mask_crops=None):
    return Detections(np.arange(9.0).reshape(3, 3), np.array([1.0, 2, 3]), np.array([0.1, 0.2, 0.3]), mask_crops)


def test_take_keeps_the_columns_together():
    crops = tuple(MaskCrop((row, 0, 0), np.ones((1, 1, 1), bool)) for row in range(3))
    taken = three(crops).take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.centers_zyx_mm, [[6, 7, 8], [0, 1, 2]])
    assert (taken.diameters_mm.tolist(), taken.scores.tolist()) == ([3, 1], [0.3, 0.1])
    assert [crop.start_zyx_vox[0] for crop in taken.mask_crops] == [2, 0]
    assert three().take(np.array([1])).mask_crops is None


def test_no_detections_have_the_right_shapes():
    assert len(Detections.empty()) == 0
    assert Detections.empty().mask_crops is None
    assert Detections.empty(has_masks=True).mask_crops == ()


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"expected the shapes \(N, 3\), \(N,\) and \(N,\), found"):
        Detections(np.zeros((2, 3)), np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="expected 3 mask crops, found 0"):
        three(())
