"""The loss of a fine-tuning by hand: rated nodules alone count."""

import math

import pytest
import torch
from objective_parts import losses_of_parts

from lungpipe.training.malignancy_objective import MalignancyObjective

NAN, LOG2 = math.nan, math.log(2)


@pytest.fixture
def labelled(make_patches):
    def make(malignancy, **changes):
        labels = {"is_nodule": [1.0] * len(malignancy), "malignancy": malignancy}
        return make_patches(*[[]] * len(malignancy), labels=labels, **changes)

    return make


def outputs_of(*logits):
    return {"malignancy": torch.tensor(logits), "nodule": torch.zeros(len(logits))}


def test_a_row_counts_by_its_weight_and_unknown_rows_do_not(labelled):
    patches = labelled([1.0, 0.0, NAN], weights=[3.0, 1.0, 5.0])
    loss = MalignancyObjective().loss(outputs_of(0.0, 2.0, 9.0), patches)
    assert loss.item() == pytest.approx((3 * LOG2 + math.log(1 + math.exp(2))) / 4)


def test_losses_of_parts_add_up_to_that_of_the_whole(labelled):
    patches, outputs = labelled([1.0, NAN, 0.0], weights=[2.0, 1.0, 1.0]), outputs_of(1.0, 0.5, -0.2)
    objective = MalignancyObjective()
    assert objective.counts(patches).tolist() == [3]
    parts = losses_of_parts(objective, outputs, patches, 2)
    torch.testing.assert_close(sum(parts), objective.loss(outputs, patches))


def test_validation_metrics(labelled):
    patches, outputs = labelled([1.0, 0.0, 1.0, NAN]), outputs_of(0.5, 1.5, 2.5, 9.0)
    objective = MalignancyObjective()
    metrics = objective.summary(objective.measure(outputs, patches))
    assert metrics["validation_loss"] == pytest.approx(objective.loss(outputs, patches).item(), rel=1e-6)
    assert metrics["score"] == -metrics["validation_loss"]
    assert metrics["validation_malignancy_auc"] == 0.5


def test_an_auc_of_one_class_is_left_out(labelled):
    objective = MalignancyObjective()
    totals = objective.measure(outputs_of(2.0), labelled([1.0]))
    assert set(objective.summary(totals)) == {"score", "validation_loss"}
