"""Maps on the voxels of their patch."""

import numpy as np
import torch
from torch import nn

from lungpipe.explain.feature_map import Alignment, FeatureMap
from lungpipe.explain.frames import along_axis, to_patch, unstack


def feature_map(shape, input_shape, alignment):
    empty = torch.zeros(1, *shape)
    return FeatureMap(empty, empty, alignment, input_shape, 0.0)


def test_interpolation_along_an_axis_by_hand():
    # elements at the voxels 1, 3: voxel 2 is between them, 0 and 4 are outside and repeat
    weights = along_axis(2, 5, 2.0, 1.0)
    np.testing.assert_allclose(weights, [[1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1]])


def test_a_peak_is_at_the_voxel_of_its_element():
    values = np.zeros((3, 3, 3), np.float32)
    values[1, 0, 2] = 1.0
    found = feature_map(values.shape, (12, 12, 12), Alignment((4.0,) * 3, (0.0, 1.0, 2.0)))
    patch = to_patch(values, found, nn.Identity(), (12, 12, 12))
    assert patch[4, 1, 10] == 1.0
    assert np.argwhere(patch == patch.max()).tolist() == [[4, y, x] for y in (0, 1) for x in (10, 11)]


def test_two_scales_are_put_onto_the_middle_half():
    values = np.ones((2, 2, 2), np.float32)
    found = feature_map(values.shape, (4, 4, 4), Alignment((2.0,) * 3, (0.0,) * 3))
    patch = to_patch(values, found, nn.Identity(), (8, 8, 8))
    assert patch.sum() == 4**3
    assert (patch[2:6, 2:6, 2:6] == 1).all()


def test_slices_return_to_their_planes():
    network = nn.Identity()
    network.cut = (3, 3, 2)
    maps = np.zeros((9, 9, 9), np.float32)
    # the middle axial slice (z 4), the last coronal slice (y 6) with axes z, x, the first sagittal one (x 2)
    maps[1, 1, 8], maps[5, 0, 8], maps[6, 8, 0] = 1.0, 2.0, 3.0
    patch = to_patch(maps, feature_map(maps.shape, (9, 9, 9), Alignment()), network, (9, 9, 9))
    assert patch[4, 1, 8] == 1.0
    assert patch[0, 6, 8] == 2.0
    assert patch[8, 0, 2] == 3.0
    # halfway to the next slice the map is halved, and half a step beyond the last slice it ends
    assert patch[0, 5, 8] == 1.0
    assert patch[0, 7, 8] == 2.0
    assert patch[0, 8, 8] == 0.0


def test_where_slices_cross_the_larger_value_counts():
    maps = np.stack([np.full((5, 5), value, np.float32) for value in (1.0, 4.0, 2.0)])
    patch = unstack(maps, Alignment(), (3, 1, 1), (5, 5, 5))
    assert patch[2, 0, 0] == 1.0
    assert patch[0, 2, 0] == 4.0
    assert patch[2, 2, 2] == 4.0
    assert patch[2, 0, 2] == 2.0
    assert patch[0, 0, 0] == 0.0
