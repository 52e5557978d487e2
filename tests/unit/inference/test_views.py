"""Views of patches: all symmetries of the cube, the flips first."""

import numpy as np
import pytest
import torch

from lungpipe.inference.views import patch_views
from lungpipe.sampling.draws import SYMMETRIES


def views_of(hu, first, last):
    return [tuple(view.flatten().tolist()) for view in patch_views(hu, first, last)]


def test_views_are_eight_different_flips_the_plain_one_first():
    hu = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    views = views_of(hu, 0, 8)
    assert len(set(views)) == 8
    assert views[0] == tuple(range(8))
    assert views[1:4] == [tuple(np.flip(hu.numpy(), axis).ravel()) for axis in (4, 3, 2)]


def test_all_views_are_the_48_symmetries_that_training_draws():
    size = 3
    hu = torch.arange(float(size**3)).reshape(1, 1, size, size, size)
    axis = np.arange(size) - (size - 1) / 2
    places = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    drawn = set()
    for symmetry in SYMMETRIES:
        z, y, x = np.moveaxis((places @ symmetry + (size - 1) / 2).round().astype(int), -1, 0)
        drawn.add(tuple(hu[0, 0].numpy()[z, y, x].ravel()))
    assert set(views_of(hu, 0, 48)) == drawn
    assert len(drawn) == 48


@pytest.mark.parametrize(("first", "last"), [(0, 2), (2, 8), (8, 24), (24, 24)])
def test_a_part_of_the_views_is_that_part_of_their_order(first, last):
    hu = torch.arange(27.0).reshape(1, 1, 3, 3, 3)
    assert views_of(hu, first, last) == views_of(hu, 0, 48)[first:last]
