"""The centre loss by hand: focal heat map, offset, diameter, and the score of peaks."""

import math
from dataclasses import replace

import pytest
import torch
from objective_parts import losses_of_parts

from lungpipe.settings.recipe.detector import CenterObjectiveSettings
from lungpipe.training.center_objective import CenterObjective, num_centers, peaks

CENTER = (1.5, -0.5, 0.5, 5.0, 1)
"""In patches of 16^3 at stride 4: coarse voxel (2, 1, 2), whose centre is (2, -2, 2) mm from the patch's centre."""
AT = (0, 0, 2, 1, 2)
EXCLUDED = (-6.0, -6.0, -6.0, 6.0, 2)


def objective(**changes):
    return CenterObjective(CenterObjectiveSettings(**{"mask_weight": 0.0, **changes}))


def outputs_for(count, *, heatmap=-30.0, diameter=0.0):
    shape = (4, 4, 4)
    return {
        "heatmap": torch.full((count, 1, *shape), heatmap),
        "offset": torch.zeros(count, 3, *shape),
        "diameter": torch.full((count, 1, *shape), diameter),
        "mask": torch.full((count, 1, 16, 16, 16), -30.0),
    }


@pytest.fixture
def patches(make_patches):
    return make_patches([CENTER], [EXCLUDED], side=16)


def test_the_right_answer_costs_nothing(patches):
    outputs = outputs_for(2, diameter=math.log(0.5))
    outputs["heatmap"][AT] = 30.0
    outputs["offset"][0, :, 2, 1, 2] = torch.tensor([-0.5, 1.5, -1.5])
    assert objective().loss(outputs, patches).item() == pytest.approx(0.0, abs=1e-6)


def test_offset_and_diameter_cost_their_distance_at_the_centre_alone(patches):
    outputs = outputs_for(2, diameter=math.log(0.5) + 0.25)
    outputs["heatmap"][AT] = 30.0
    outputs["offset"][0, :, 2, 1, 2] = torch.tensor([-0.5, 1.5, 0.5])
    assert objective().loss(outputs, patches).item() == pytest.approx(2.0 + 0.25, abs=1e-5)
    weighted = objective(offset_weight=3.0, diameter_weight=2.0).loss(outputs, patches)
    assert weighted.item() == pytest.approx(6.0 + 0.5, abs=1e-5)


def test_an_offset_of_the_wrong_sign_costs_more_than_none(patches):
    outputs = outputs_for(2, diameter=math.log(0.5))
    outputs["heatmap"][AT] = 30.0
    none = objective().loss(outputs, patches).item()
    outputs["offset"][0, :, 2, 1, 2] = -torch.tensor([-0.5, 1.5, -1.5])
    assert none == pytest.approx(3.5, abs=1e-5)
    assert objective().loss(outputs, patches).item() == pytest.approx(7.0, abs=1e-5)


def test_the_focal_loss_by_hand(make_patches):
    """All logits 0, one nodule: (1/2)^2 log 2 at its centre, (1 - y)^4 (1/2)^2 log 2 elsewhere."""
    outputs = outputs_for(1, heatmap=0.0, diameter=math.log(0.5))
    outputs["offset"][0, :, 2, 1, 2] = torch.tensor([-0.5, 1.5, -1.5])
    index = torch.stack(torch.meshgrid(*[torch.arange(4.0)] * 3, indexing="ij"), dim=-1)
    squared_vox = ((index - torch.tensor([2.0, 1.0, 2.0])) * 4).square().sum(dim=-1)
    others = (1 - torch.exp(-squared_vox / (2 * 1.5**2))) ** 4
    expected = 0.25 * math.log(2) * (1 + others.sum().item())
    assert objective().loss(outputs, make_patches([CENTER], side=16)).item() == pytest.approx(expected, rel=1e-5)


def test_far_from_any_nodule_the_focal_loss_is_monais(make_patches):
    # MONAI 1.6.1: FocalLoss(gamma=2, alpha=None, reduction="sum") of these logits and targets, which averages voxels
    reference = 0.5271106958389282 * 64
    z = torch.arange(64).reshape(1, 1, 4, 4, 4).float()
    logits = torch.cat([torch.sin(z), torch.cos(0.5 * z)])
    masks = torch.zeros(2, 1, 4, 4, 4)
    masks[0, 0, 1:3, 1:3, 1:3] = 1
    masks[1, 0, 2, 0:2, :] = 1
    patches = make_patches([CENTER], [CENTER], side=16)
    targets = objective()._targets(patches, logits)
    binary = replace(targets, heatmap=masks, is_center=masks, is_counted=torch.ones_like(masks))
    chosen = objective()
    chosen._targets = lambda patches, heatmap: binary
    sums = chosen._sums({**outputs_for(2), "heatmap": logits}, patches)
    assert sums["heatmap"].item() == pytest.approx(reference, rel=1e-5)


def test_excluded_findings_are_no_background(patches):
    quiet, loud = outputs_for(2), outputs_for(2)
    loud["heatmap"][1, 0, 0, 0, 0] = 10.0
    quiet["heatmap"][AT] = loud["heatmap"][AT] = 30.0
    assert objective().loss(loud, patches).item() == pytest.approx(objective().loss(quiet, patches).item())
    loud["heatmap"][1, 0, 3, 3, 3] = 10.0
    assert objective().loss(loud, patches).item() > objective().loss(quiet, patches).item() + 5


def test_a_batch_without_nodules_learns_that_it_shows_none(make_patches):
    patches = make_patches([], side=16)
    outputs = outputs_for(1)
    outputs["heatmap"] = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
    loss = objective().loss(outputs, patches)
    loss.backward()
    assert loss.item() == pytest.approx(64 * 0.25 * math.log(2), rel=1e-5)
    assert (outputs["heatmap"].grad > 0).all()


def test_a_nodule_counts_by_its_weight(make_patches):
    rows = [[CENTER], [CENTER]]
    outputs = outputs_for(2, diameter=math.log(0.5))
    outputs["offset"][:, :, 2, 1, 2] = torch.tensor([-0.5, 1.5, -1.5])
    outputs["diameter"][1] += 1.0
    outputs["heatmap"][:, 0, 2, 1, 2] = 30.0
    assert objective().loss(outputs, make_patches(*rows, side=16)).item() == pytest.approx(0.5, abs=1e-5)
    weighted = make_patches(*rows, side=16, weights=[3.0, 1.0])
    assert objective().loss(outputs, weighted).item() == pytest.approx(0.25, abs=1e-5)


def test_the_mask_loss_stands_beside_it(patches):
    outputs = outputs_for(2)
    without, half, whole = (objective(mask_weight=w).loss(outputs, patches).item() for w in (0.0, 0.5, 1.0))
    mask = objective().mask.loss(outputs, patches).item()
    assert mask > 1
    assert (half, whole) == pytest.approx((without + 0.5 * mask, without + mask), rel=1e-5)


def test_losses_of_parts_add_up_to_that_of_the_whole(make_patches):
    patches = make_patches([CENTER], [], [CENTER, EXCLUDED], side=16)
    generator = torch.Generator().manual_seed(4)
    outputs = {name: torch.randn(value.shape, generator=generator) for name, value in outputs_for(3).items()}
    chosen = objective(mask_weight=0.5)
    parts = losses_of_parts(chosen, outputs, patches, 2)
    torch.testing.assert_close(sum(parts), chosen.loss(outputs, patches))


def test_only_nodules_whose_centre_lies_in_the_patch_are_counted(make_patches):
    outside = (8.5, 0.0, 0.0, 6.0, 1)
    assert num_centers(make_patches([CENTER, outside, EXCLUDED], [CENTER], side=16)).item() == 2


def test_peaks_lie_in_nodules_or_well_outside_of_every_finding(make_patches):
    patches = make_patches([CENTER, EXCLUDED], [], side=32)
    heatmap = torch.zeros(2, 1, 8, 8, 8)
    heatmap[0, 0, 4, 3, 4] = 5.0  # the nodule
    heatmap[0, 0, 5, 3, 4] = 7.0  # next to it: neither nodule nor background
    heatmap[0, 0, 2, 2, 2] = 9.0  # the excluded finding
    heatmap[0, 0, 7, 7, 7] = 2.0
    heatmap[1, 0, 0, 0, 0] = 3.0
    (highest, is_nodule), background = peaks(heatmap, patches)
    assert highest[is_nodule > 0].tolist() == [5.0]
    assert background.tolist() == [2.0, 3.0]


def test_the_score_ranks_nodules_against_the_background(make_patches):
    patches = make_patches([CENTER], [CENTER], [], side=32)
    outputs = {name: torch.nn.functional.interpolate(value, scale_factor=2) for name, value in outputs_for(3).items()}
    for patch, height in enumerate((2.0, -1.0, 0.0)):
        place = (4, 3, 4) if patch < 2 else (1, 1, 1)
        outputs["heatmap"][(patch, 0, *place)] = height
    chosen = objective()
    metrics = chosen.summary(chosen.measure(outputs, patches))
    assert metrics["validation_peak_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["score"] == pytest.approx(metrics["validation_peak_precision"] - 1e-3 * metrics["validation_loss"])
    assert metrics["validation_loss"] == pytest.approx(chosen.loss(outputs, patches).item(), rel=1e-5)


def test_without_nodules_the_loss_is_the_score(make_patches):
    chosen = objective()
    metrics = chosen.summary(chosen.measure(outputs_for(1, heatmap=0.0), make_patches([], side=16)))
    assert metrics["score"] == pytest.approx(-1e-3 * metrics["validation_loss"])
    assert "validation_peak_precision" not in metrics


def test_a_heat_map_that_is_no_number_gives_no_finite_score(patches):
    chosen = objective()
    assert math.isnan(chosen.summary(chosen.measure(outputs_for(2, heatmap=math.nan), patches))["score"])
