"""The scorer's loss by hand: known labels alone teach."""

import math

import pytest
import torch
from objective_parts import losses_of_parts

from lungpipe.evaluation.ranking import auc
from lungpipe.settings.recipe.scorer import ScoreObjectiveSettings
from lungpipe.training.score_objective import ScoreObjective

NAN, LOG2 = math.nan, math.log(2)


def objective(weight=0.5):
    return ScoreObjective(ScoreObjectiveSettings(malignancy_weight=weight))


def outputs_of(nodule, malignancy):
    return {"nodule": torch.tensor(nodule), "malignancy": torch.tensor(malignancy)}


@pytest.fixture
def labelled(make_patches):
    def make(is_nodule, malignancy, **changes):
        return make_patches(
            *[[]] * len(is_nodule), labels={"is_nodule": is_nodule, "malignancy": malignancy}, **changes
        )

    return make


def test_the_malignancy_head_learns_only_where_the_label_is_known(labelled):
    outputs = {name: torch.zeros(3, requires_grad=True) for name in ("nodule", "malignancy")}
    loss = objective().loss(outputs, labelled([1.0, 1.0, 0.0], [1.0, NAN, NAN]))
    loss.backward()
    # every logit is 0: each cross-entropy is log 2
    assert loss.item() == pytest.approx(1.5 * LOG2)
    torch.testing.assert_close(outputs["nodule"].grad, torch.tensor([-0.5, -0.5, 0.5]) / 3)
    torch.testing.assert_close(outputs["malignancy"].grad, torch.tensor([-0.25, 0.0, 0.0]))


@pytest.mark.parametrize(("malignancy", "weight"), [([1.0, 0.0], 0.0), ([NAN, NAN], 0.5)])
def test_without_weight_or_labels_the_nodule_loss_is_left(labelled, malignancy, weight):
    loss = objective(weight).loss(outputs_of([0.0, 0.0], [5.0, -5.0]), labelled([1.0, 0.0], malignancy))
    assert loss.item() == pytest.approx(LOG2)


def test_a_row_whose_nodule_label_is_unknown_teaches_nothing(labelled):
    loss = objective().loss(outputs_of([0.0, 9.0], [0.0, 9.0]), labelled([1.0, NAN], [NAN, NAN]))
    assert loss.item() == pytest.approx(LOG2)


def test_a_row_counts_by_its_weight(labelled):
    patches = labelled([1.0, 0.0], [NAN, NAN], weights=[3.0, 1.0])
    loss = objective().loss(outputs_of([0.0, 2.0], [0.0, 0.0]), patches)
    assert loss.item() == pytest.approx((3 * LOG2 + math.log(1 + math.exp(2))) / 4)


def test_losses_of_parts_add_up_to_that_of_the_whole(labelled):
    patches = labelled([1.0, 0.0, 1.0], [1.0, NAN, 0.0])
    outputs = outputs_of([0.3, -1.0, 2.0], [1.0, 0.5, -0.2])
    assert objective().counts(patches).tolist() == [3, 2]
    parts = losses_of_parts(objective(), outputs, patches, 2)
    torch.testing.assert_close(sum(parts), objective().loss(outputs, patches))


def test_validation_metrics(labelled):
    is_nodule, malignancy = [1.0, 1.0, 0.0, 0.0, 1.0], [1.0, 0.0, NAN, NAN, NAN]
    patches, outputs = (
        labelled(is_nodule, malignancy),
        outputs_of([2.0, -1.0, 0.0, -3.0, 1.0], [0.5, 1.5, 9.0, 9.0, 9.0]),
    )
    totals = objective().measure(outputs, patches)
    metrics = objective().summary(totals)
    assert metrics["validation_loss"] == pytest.approx(objective().loss(outputs, patches).item(), rel=1e-6)
    assert metrics["score"] == -metrics["validation_loss"]
    assert metrics["validation_nodule_auc"] == pytest.approx(auc(is_nodule, outputs["nodule"].tolist()))
    assert metrics["validation_malignancy_auc"] == 0.0


def test_an_auc_of_one_class_is_left_out(labelled):
    totals = objective().measure(outputs_of([2.0, 1.0], [0.0, 0.0]), labelled([1.0, 1.0], [1.0, NAN]))
    assert set(objective().summary(totals)) == {"score", "validation_loss"}
