"""Masks and heat maps: where they are painted, voxel by voxel."""

import math

import numpy as np
import pytest
import torch

from lungpipe.geometry import Grid, sphere_mask
from lungpipe.sampling.batch import EXCLUDED, NODULE
from lungpipe.sampling.targets import IGNORED, diameters_mm, heat_targets, paint_masks

MM = (1.0, 1.0, 1.0)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def findings(*windows, device="cpu"):
    """(B, K, 5) from lists of (z, y, x, diameter, kind), padded."""
    width = max((len(rows) for rows in windows), default=0)
    padded = [[*rows, *[(0.0,) * 5] * (width - len(rows))] for rows in windows]
    return torch.tensor(padded, dtype=torch.float32, device=device).reshape(len(windows), width, 5)


def voxels(mask, value):
    return {tuple(index) for index in (mask == value).nonzero().tolist()}


def cross(z, y, x):
    return {(z, y, x), (z - 1, y, x), (z + 1, y, x), (z, y - 1, x), (z, y + 1, x), (z, y, x - 1), (z, y, x + 1)}


def test_a_sphere_holds_the_voxels_whose_centres_are_strictly_inside(device):
    # radius 1: the neighbours at exactly 1 mm are outside; radius 1.25: they are inside, those at 1.41 are not
    masks = paint_masks(findings([(1, 0, -1, 2.0, NODULE)], [(1, 0, -1, 2.5, NODULE)], device=device), (7, 5, 5), MM)
    assert (masks.dtype, tuple(masks.shape), masks.device.type) == (torch.uint8, (2, 7, 5, 5), device.type)
    assert voxels(masks[0], NODULE) == {(4, 2, 1)}
    assert voxels(masks[1], NODULE) == cross(4, 2, 1)


def test_axes_are_not_swapped_and_spacing_counts(device):
    # voxels of 2 x 1 x 0.5 mm: a radius of 1.1 mm reaches 0, 1 and 2 voxels
    mask = paint_masks(findings([(0, 0, 0, 2.2, NODULE)], device=device), (5, 5, 9), (2.0, 1.0, 0.5))[0]
    assert voxels(mask, NODULE) == {(2, 2, 2), (2, 2, 3), (2, 2, 4), (2, 2, 5), (2, 2, 6), (2, 1, 4), (2, 3, 4)}


def test_the_middle_of_an_even_side_lies_between_voxels(device):
    # half a voxel from the middle of 4 voxels is voxel 2
    mask = paint_masks(findings([(0.5, 0.5, 0.5, 1.0, NODULE)], device=device), (4, 4, 4), MM)[0]
    assert voxels(mask, NODULE) == {(2, 2, 2)}


def test_a_finding_between_all_voxels_marks_the_nearest(device):
    small = findings([(0.4, -0.4, 0.45, 0.5, NODULE)], [(0.6, -0.6, 0.45, 0.5, EXCLUDED)], device=device)
    masks = paint_masks(small, (3, 3, 3), MM)
    assert voxels(masks[0], NODULE) == {(1, 1, 1)}
    assert voxels(masks[1], IGNORED) == {(2, 0, 1)}


def test_a_finding_outside_the_patch_marks_only_what_reaches_in(device):
    outside = findings([(3.0, 0, 0, 4.5, NODULE)], [(2.0, 0, 0, 0.5, NODULE)], device=device)
    masks = paint_masks(outside, (3, 3, 3), MM)
    assert voxels(masks[0], NODULE) == {(2, 1, 1), (2, 0, 1), (2, 2, 1), (2, 1, 0), (2, 1, 2)}
    assert not masks[1].any()


def test_nodules_lie_over_excluded_findings_whatever_their_order(device):
    nodule, excluded = (0, 0, -1, 2.5, NODULE), (0, 0, 1, 2.5, EXCLUDED)
    masks = paint_masks(findings([nodule, excluded], [excluded, nodule], device=device), (5, 5, 5), MM)
    for mask in masks:
        assert voxels(mask, NODULE) == cross(2, 2, 1)
        assert voxels(mask, IGNORED) == cross(2, 2, 3) - cross(2, 2, 1)


def test_a_negative_diameter_is_ten_millimetres(device):
    masks = paint_masks(
        findings([(0, 0, 0, -1.0, EXCLUDED)], [(0, 0, 0, 10.0, EXCLUDED)], device=device), (13,) * 3, MM
    )
    assert torch.equal(masks[0], masks[1])
    assert diameters_mm(torch.tensor([[0, 0, 0, -1.0, 2], [0, 0, 0, 4.0, 1]])).tolist() == [10, 4]


def test_padding_and_windows_without_findings_stay_background(device):
    masks = paint_masks(findings([], [(0, 0, 0, 3.0, NODULE)], device=device), (5, 5, 5), MM)
    assert not masks[0].any()
    assert masks[1].any()
    assert paint_masks(torch.zeros(2, 0, 5, device=device), (3, 3, 3), MM).shape == (2, 3, 3, 3)


def test_a_sphere_has_its_volume():
    mask = paint_masks(findings([(0.3, -0.2, 0.1, 20.0, NODULE)]), (40, 40, 60), (0.8, 1.0, 0.5))[0]
    assert int(mask.sum()) * 0.8 * 1.0 * 0.5 == pytest.approx(4 / 3 * math.pi * 1000, rel=0.02)


def test_masks_are_those_of_the_one_hit_rule():
    rng = np.random.default_rng(3)
    shape, spacing = (11, 12, 13), (1.25, 1.0, 0.75)
    grid = Grid(shape, spacing, tuple(-(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True)))
    # quarters of a millimetre are exact in both precisions
    centers, diameters = rng.integers(-40, 40, (60, 3)) / 4, rng.integers(1, 40, 60) / 4
    rows = [[(*center, diameter, NODULE)] for center, diameter in zip(centers, diameters, strict=True)]
    masks = paint_masks(findings(*rows), shape, spacing).numpy() == NODULE
    for mask, center, diameter in zip(masks, centers, diameters, strict=True):
        np.testing.assert_array_equal(mask, sphere_mask(grid, center, diameter))


def heat(*windows, shape=(16, 16, 16), spacing=MM, stride=4, sigma=0.2, least=1.5, device="cpu"):
    return heat_targets(
        findings(*windows, device=device), shape, spacing, stride=stride, heatmap_sigma=sigma, smallest_sigma_vox=least
    )


def test_the_centre_lies_in_the_nearest_coarse_voxel_with_its_offset_and_diameter(device):
    # coarse centres lie at fine index 1.5, 5.5, 9.5, 13.5; the nodule at 9 (half before 9.5), 3.5 (a tie, which rounds
    # to the even index 0) and 12.75
    targets = heat([(1.5, -4.0, 5.25, 5.0, NODULE)], device=device)
    assert targets.heatmap.shape == targets.diameter.shape == targets.is_center.shape == (1, 1, 4, 4, 4)
    assert targets.offset.shape == (1, 3, 4, 4, 4)
    assert voxels(targets.is_center[0, 0], 1) == {(2, 0, 3)}
    assert voxels(targets.heatmap[0, 0], 1) == {(2, 0, 3)}
    assert targets.offset[0, :, 2, 0, 3].tolist() == pytest.approx([-0.5, 2.0, -0.75])
    assert float(targets.diameter[0, 0, 2, 0, 3]) == pytest.approx(math.log(0.5))
    assert targets.is_counted.all()


def test_the_heat_falls_off_as_a_gaussian_of_the_diameter(device):
    # 20 mm: sigma 4 mm; one coarse voxel is 4 mm away
    heatmap = heat([(2, 2, 2, 20.0, NODULE)], device=device).heatmap[0, 0]
    assert float(heatmap[2, 2, 3]) == pytest.approx(math.exp(-0.5))
    assert float(heatmap[0, 2, 2]) == pytest.approx(math.exp(-2.0))
    assert float(heatmap[3, 3, 3]) == pytest.approx(math.exp(-1.5))


def test_a_small_nodule_has_the_smallest_gaussian(device):
    heatmap = heat([(2, 2, 2, 3.0, NODULE)], least=2.0, device=device).heatmap[0, 0]
    assert float(heatmap[2, 3, 2]) == pytest.approx(math.exp(-16 / (2 * 4.0)))


def test_of_two_nodules_the_larger_heat_counts(device):
    one, two = (2, 2, -6, 20.0, NODULE), (2, 2, 2, 20.0, NODULE)
    both, first, second = (heat(rows, device=device).heatmap for rows in ([one, two], [one], [two]))
    assert torch.equal(both, torch.maximum(first, second))


def test_in_voxels_that_are_no_cubes_every_axis_has_its_own_length(device):
    targets = heat([(4.0, 1.0, 0.0, 10.0, NODULE)], shape=(8, 8, 8), spacing=(2.0, 1.0, 0.5), stride=2, device=device)
    # fine index 5.5, 4.5, 3.5; coarse centres at 0.5, 2.5, 4.5, 6.5: ties along z (2.5) and x (1.5) round to 2
    assert voxels(targets.is_center[0, 0], 1) == {(2, 2, 2)}
    assert targets.offset[0, :, 2, 2, 2].tolist() == pytest.approx([1.0, 0.0, -1.0])
    # coarse voxels are 4 x 2 x 1 mm, sigma is 1.5 voxels of 2 mm
    assert float(targets.heatmap[0, 0, 3, 2, 2]) == pytest.approx(math.exp(-16 / 18))
    assert float(targets.heatmap[0, 0, 2, 2, 3]) == pytest.approx(math.exp(-1 / 18))


def test_excluded_findings_carry_no_heat_and_no_loss_but_under_a_nodule_it_counts(device):
    targets = heat([(2, 2, 2, 10.0, EXCLUDED)], [(2, 2, 2, 10.0, EXCLUDED), (2, 2, 2, 6.0, NODULE)], device=device)
    around = cross(2, 2, 2)
    assert voxels(targets.is_counted[0, 0], 0) == around
    assert not targets.heatmap[0].any()
    assert not targets.is_center[0].any()
    assert voxels(targets.is_counted[1, 0], 0) == around - {(2, 2, 2)}
    assert voxels(targets.is_center[1, 0], 1) == {(2, 2, 2)}


def test_a_nodule_beyond_the_patch_has_heat_but_no_centre(device):
    targets = heat([(10.0, 2, 2, 20.0, NODULE)], device=device)
    assert not targets.is_center.any()
    assert not targets.offset.any()
    assert float(targets.heatmap[0, 0, 3, 2, 2]) == pytest.approx(math.exp(-16 / 32))


def test_sides_that_are_no_multiple_of_the_stride_are_refused():
    with pytest.raises(ValueError, match=r"divisible by the stride 4, found \(16, 15, 16\)"):
        heat([], shape=(16, 15, 16))
