"""Losses: what they reward, and what they must not see."""

import pytest
import torch

from lungpipe.sampling import IGNORED, NODULE
from lungpipe.training.losses import classification_loss, dice_parts, segmentation_loss


def a_target():
    target = torch.zeros(2, 4, 4, 4, dtype=torch.uint8)
    target[0, 1:3, 1:3, 1:3] = NODULE
    target[0, 3] = target[1, 0] = IGNORED
    return target


def logits_of(target, sure=12.0):
    return torch.where(target == NODULE, sure, -sure)[:, None]


def test_the_right_mask_costs_next_to_nothing_and_the_wrong_one_much():
    target = a_target()
    right = segmentation_loss(logits_of(target), target)
    none = segmentation_loss(torch.full((2, 1, 4, 4, 4), -12.0), target)
    assert 0 <= right < 0.01
    assert none > 0.5
    assert segmentation_loss(-logits_of(target), target) > none


def test_half_a_nodule_costs_more_than_all_of_it_and_less_than_none():
    target = a_target()
    half = logits_of(target).clone()
    half[0, 0, 1] = -12.0
    costs = [segmentation_loss(logits, target) for logits in (logits_of(target), half, torch.full_like(half, -12.0))]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[2]


def test_ignored_voxels_carry_no_loss_and_no_gradient():
    target = a_target()
    logits = logits_of(target, 1.0).clone()
    other = logits.clone()
    other[0, 0, 3] = other[1, 0, 0] = 30.0
    torch.testing.assert_close(segmentation_loss(logits, target), segmentation_loss(other, target))
    logits.requires_grad_()
    segmentation_loss(logits, target).backward()
    is_ignored = (target == IGNORED)[:, None]
    assert not logits.grad[is_ignored].any()
    assert logits.grad[~is_ignored].all()


def test_the_gradient_raises_the_nodule_and_lowers_the_rest():
    target = a_target()
    logits = torch.zeros(2, 1, 4, 4, 4, requires_grad=True)
    segmentation_loss(logits, target).backward()
    assert (logits.grad[(target == NODULE)[:, None]] < 0).all()
    assert (logits.grad[(target == 0)[:, None]] > 0).all()


@pytest.mark.parametrize("value", [0, IGNORED])
def test_a_batch_without_any_nodule_has_a_finite_loss(value):
    target = torch.full((2, 4, 4, 4), value, dtype=torch.uint8)
    assert torch.isfinite(segmentation_loss(torch.zeros(2, 1, 4, 4, 4), target))


def test_reduced_precision_does_not_reach_the_sums():
    target = a_target().repeat(40, 1, 1, 1)
    logits = logits_of(target, 2.0)
    torch.testing.assert_close(segmentation_loss(logits.bfloat16(), target), segmentation_loss(logits, target))


def test_dice_parts_by_hand():
    target = a_target()
    logits = torch.full((2, 1, 4, 4, 4), -1.0)
    logits[0, 0, 1] = 1.0  # 16 voxels, 4 of the 8 nodule voxels among them
    logits[1, 0, 0] = 1.0  # ignored: they do not count
    assert dice_parts(logits, target) == (2 * 4, 16 + 8)
    assert dice_parts(logits_of(target), target) == (16, 16)


def test_the_malignancy_head_learns_only_where_the_label_is_known():
    logits = torch.zeros(3, 2, requires_grad=True)
    is_nodule, malignancy = torch.tensor([True, True, False]), torch.tensor([1.0, torch.nan, torch.nan])
    loss = classification_loss(logits, is_nodule, malignancy, 0.5)
    loss.backward()
    # every logit is 0: each cross-entropy is log 2
    assert loss.item() == pytest.approx(1.5 * torch.log(torch.tensor(2.0)).item())
    torch.testing.assert_close(logits.grad[:, 0], torch.tensor([-0.5, -0.5, 0.5]) / 3)
    torch.testing.assert_close(logits.grad[:, 1], torch.tensor([-0.25, 0.0, 0.0]))


@pytest.mark.parametrize(("malignancy", "weight"), [([1.0, 0.0], 0.0), ([torch.nan, torch.nan], 0.5)])
def test_without_weight_or_labels_the_nodule_loss_is_left(malignancy, weight):
    logits = torch.tensor([[0.0, 5.0], [0.0, -5.0]])
    loss = classification_loss(logits, torch.tensor([True, False]), torch.tensor(malignancy), weight)
    assert loss.item() == pytest.approx(0.693147, abs=1e-5)
