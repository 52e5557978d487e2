"""Slices of three planes, and how their outputs become those of a candidate."""

import pytest
import torch

from lungpipe.models.slices import PLACE_UNIT_VOX, SliceHeads, cut_slices


def cube(side):
    """Voxels with their index as value: 10000 z + 100 y + x."""
    z, y, x = torch.meshgrid(*[torch.arange(float(side))] * 3, indexing="ij")
    return (10000 * z + 100 * y + x)[None, None]


@pytest.mark.parametrize(("side", "expected"), [(9, [2, 4, 6]), (8, [1, 3, 5])])
def test_axial_slices_are_those_around_the_middle(side, expected):
    slices = cut_slices(cube(side), 1, 3, 2)
    assert slices.shape == (1, 1, 3, side, side)
    assert (slices[0, 0, :, 0, 0] / 10000).tolist() == expected
    assert torch.equal(slices[0, 0, 1], cube(side)[0, 0, expected[1]])


def test_coronal_and_sagittal_slices_follow_with_their_axes():
    slices = cut_slices(cube(9), 3, 1, 2)[0, 0]
    assert len(slices) == 3
    assert slices[1][2, 7] == 20000 + 400 + 7  # z 2, y 4 (the middle), x 7
    assert slices[2][2, 7] == 20000 + 700 + 4  # z 2, y 7, x 4 (the middle)


def test_one_slice_is_the_middle():
    assert cut_slices(cube(5), 1, 1, 3)[0, 0, :, 0, 0].tolist() == [20000]


@pytest.mark.parametrize(("aggregate", "expected"), [("mean", 2.0), ("maximum", 3.0)])
def test_slice_logits_are_aggregated_and_places_come_from_axial_slices(aggregate, expected):
    heads = SliceHeads(5, 1, aggregate)
    with torch.no_grad():
        heads.dense.weight.copy_(torch.eye(5))
        heads.dense.bias.zero_()
    features = torch.tensor([[[1.0, -1.0, 0.5, -0.25, 0.1], [3.0, -3.0, 9.0, 9.0, 9.0]]])
    outputs = heads(features)
    assert outputs["nodule"].tolist() == [expected]
    assert outputs["malignancy"].tolist() == [-2.0 if aggregate == "mean" else -1.0]
    assert outputs["place"].tolist() == [[0.5 * PLACE_UNIT_VOX, -0.25 * PLACE_UNIT_VOX]]
    assert outputs["diameter"].tolist() == [pytest.approx(0.1)]
