"""The mask loss: what it rewards, what it must not see, and its values by hand and by MONAI."""

import math

import pytest
import torch
from objective_parts import losses_of_parts
from torch.nn import functional

from lungpipe.sampling.targets import IGNORED, NODULE
from lungpipe.settings.recipe.detector import MaskObjectiveSettings
from lungpipe.training.mask_objective import MaskObjective, mask_targets
from lungpipe.training.step import split

NODULE_ROW, EXCLUDED_ROW = (0.5, 0.5, 0.5, 2.4, 1), (-3.5, 0.5, 0.5, 2.4, 2)
"""In patches of 8^3 (512 voxels): a nodule of 7 voxels, and an excluded finding at a face, 6 voxels."""


@pytest.fixture
def patches(make_patches):
    return make_patches([NODULE_ROW, EXCLUDED_ROW], [EXCLUDED_ROW])


def objective(**changes):
    return MaskObjective(MaskObjectiveSettings(**changes))


def loss_of(logits, patches, **changes):
    return objective(**changes).loss({"mask": logits}, patches)


def logits_of(patches, sure=12.0):
    return torch.where(mask_targets(patches) == NODULE, sure, -sure)[:, None]


def test_the_targets_are_those_that_the_tests_speak_of(patches):
    target = mask_targets(patches)
    assert (target == NODULE).flatten(1).sum(1).tolist() == [7, 0]
    assert (target == IGNORED).flatten(1).sum(1).tolist() == [6, 6]


def test_the_loss_of_a_network_that_says_nothing_by_hand(patches):
    entropy = math.log(2) * (506 + 100 * 7 + 506) / (2 * 506)
    dice = 1 - (2 * 3.5 + 1) / (0.5 * 506 + 7 + 1)
    assert loss_of(torch.zeros(2, 1, 8, 8, 8), patches).item() == pytest.approx(5 * entropy + dice, rel=1e-5)
    entropy = math.log(2) * (506 + 14 + 506) / (2 * 506)
    changed = loss_of(torch.zeros(2, 1, 8, 8, 8), patches, nodule_weight=14.0, entropy_weight=2.0)
    assert changed.item() == pytest.approx(2 * entropy + dice, rel=1e-5)


def test_the_dice_part_is_monais(make_patches):
    # MONAI 1.6.1: DiceLoss(sigmoid=True, smooth_nr=1, smooth_dr=1, reduction="none") of these logits and targets
    reference = (0.780200719833374 + 0.7629613280296326) / 2
    z = torch.arange(64).reshape(1, 1, 4, 4, 4).float()
    masks = torch.zeros(2, 4, 4, 4, dtype=torch.uint8)
    masks[0, 1:3, 1:3, 1:3] = 1
    masks[1, 2, 0:2, :] = 1
    logits = torch.cat([torch.sin(z), torch.cos(0.5 * z)])
    patches = make_patches([], [], side=4, mask=masks)
    entropy = functional.binary_cross_entropy_with_logits(logits[:, 0], masks.float(), reduction="none")
    heavier = 1.0 + 0.125 * masks
    dice = loss_of(logits, patches, nodule_weight=1.0) - 5.0 * (entropy * heavier).mean()
    assert dice.item() == pytest.approx(reference, abs=2e-6)


def test_the_right_mask_costs_next_to_nothing_half_a_nodule_more_and_none_much(patches):
    half = logits_of(patches).clone()
    half[0, 0, 4] = -12.0
    none = torch.full_like(half, -12.0)
    costs = [loss_of(logits, patches).item() for logits in (logits_of(patches), half, none, -logits_of(patches))]
    assert 0 <= costs[0] < 0.01
    assert costs[2] > 0.5
    assert costs[0] < costs[1] < costs[2] < costs[3]


def test_ignored_voxels_carry_no_loss_and_no_gradient(patches):
    is_ignored = (mask_targets(patches) == IGNORED)[:, None]
    logits = logits_of(patches, 1.0).clone()
    other = torch.where(is_ignored, 30.0, logits)
    torch.testing.assert_close(loss_of(logits, patches), loss_of(other, patches))
    logits.requires_grad_()
    loss_of(logits, patches).backward()
    assert not logits.grad[is_ignored].any()
    assert logits.grad[~is_ignored].all()


def test_the_gradient_raises_the_nodule_and_lowers_the_rest(patches):
    logits = torch.zeros(2, 1, 8, 8, 8, requires_grad=True)
    loss_of(logits, patches).backward()
    target = mask_targets(patches)[:, None]
    assert (logits.grad[target == NODULE] < 0).all()
    assert (logits.grad[target == 0] > 0).all()


def test_a_small_and_a_large_nodule_weigh_the_same(make_patches):
    patches = make_patches([NODULE_ROW], [(0.5, 0.5, 0.5, 5.0, 1)])
    logits = torch.zeros(2, 1, 8, 8, 8, requires_grad=True)
    loss_of(logits, patches, largest_weight=1e6, nodule_weight=1e5).backward()
    inside = (mask_targets(patches) == NODULE)[:, None]
    small, large = ((logits.grad[patch] * inside[patch]).sum().item() for patch in range(2))
    assert inside[1].sum() > 5 * inside[0].sum()
    assert small == pytest.approx(large, rel=0.01)


def test_a_batch_without_any_nodule_has_a_finite_loss(make_patches):
    assert torch.isfinite(loss_of(torch.zeros(2, 1, 8, 8, 8), make_patches([], [EXCLUDED_ROW])))


def test_reduced_precision_does_not_reach_the_sums(make_patches):
    patches = make_patches(*[[NODULE_ROW]] * 40)
    logits = logits_of(patches, 2.0)
    torch.testing.assert_close(loss_of(logits.bfloat16(), patches), loss_of(logits, patches))


def test_a_patch_counts_by_its_weight(make_patches):
    logits = torch.linspace(-2, 2, 1024).reshape(2, 1, 8, 8, 8)
    rows = [[NODULE_ROW], [(1.5, 0.5, 0.5, 4.0, 1)]]
    alone = loss_of(logits[:1], make_patches(rows[0]))
    torch.testing.assert_close(loss_of(logits, make_patches(*rows, weights=[0.7, 0.0])), alone)
    first, second, both = (loss_of(logits, make_patches(*rows, weights=w)).item() for w in ([1, 0], [0, 1], [1, 3]))
    assert both == pytest.approx((first + 3 * second) / 4, rel=1e-5)


def test_losses_of_parts_add_up_to_that_of_the_whole(patches):
    logits = torch.randn(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    assert objective().counts(patches).tolist() == [1012, 1]
    parts = list(losses_of_parts(objective(), {"mask": logits}, patches, 1))
    torch.testing.assert_close(sum(parts), loss_of(logits, patches))
    assert abs(sum(parts).item() - (loss_of(logits[:1], next(split(patches, 1))).item())) > 0.1


def test_a_true_mask_takes_the_place_of_its_own_sphere_alone(make_patches):
    mask = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    mask[0, 4, 4, 3:6] = 1
    other = (-2.5, -2.5, -2.5, 2.4, 1)
    target = mask_targets(make_patches([NODULE_ROW, other, EXCLUDED_ROW], mask=mask))
    assert target[0, 4, 4].tolist() == [0, 0, 0, NODULE, NODULE, NODULE, 0, 0]
    assert target[0, 1, 1, 1] == NODULE
    assert (target == NODULE).sum().item() == 3 + 7
    assert (target == IGNORED).sum().item() == 6


def test_a_nodule_outside_its_patch_is_no_row_of_the_mask(make_patches):
    mask = torch.ones(1, 8, 8, 8, dtype=torch.uint8)
    assert (mask_targets(make_patches([(9.0, 0.0, 0.0, 4.0, 1)], mask=mask)) == NODULE).all()


def test_validation_by_hand(patches):
    logits = torch.full((2, 1, 8, 8, 8), -20.0)
    logits[0, 0, 4] = 20.0  # 64 voxels, 5 of the nodule's 7 among them
    logits[1, 0, 0] = 20.0  # 64 voxels, 5 of them ignored
    totals = objective().measure({"mask": logits}, patches)
    assert (totals["mask_overlap"].item(), totals["mask_sizes"].item()) == (5, 64 + 59 + 7)
    metrics = objective().summary(totals)
    assert metrics["validation_dice"] == pytest.approx(10 / 130)
    assert metrics["validation_loss"] == pytest.approx(loss_of(logits, patches).item(), rel=1e-5)
    assert metrics["score"] == pytest.approx(10 / 130 - 1e-3 * metrics["validation_loss"])


def test_validation_totals_add_up(patches):
    logits = torch.randn(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    whole = objective().measure({"mask": logits}, patches)
    parts = [objective().measure({"mask": logits[k : k + 1]}, part) for k, part in enumerate(split(patches, 1))]
    for name, value in whole.items():
        torch.testing.assert_close(sum(part[name] for part in parts), value)


def test_without_nodules_a_silent_network_scores_its_loss(make_patches):
    totals = objective().measure({"mask": torch.full((1, 1, 8, 8, 8), -5.0)}, make_patches([]))
    metrics = objective().summary(totals)
    assert metrics["validation_dice"] == 0.0
    assert -0.001 < metrics["score"] < 0.0
