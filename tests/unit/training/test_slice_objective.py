"""The loss of a 2D scorer by hand: scores as of any scorer, and the place of the patch's own nodule."""

import math

import pytest
import torch
from objective_parts import losses_of_parts

from lungpipe.settings.recipe import TrainedScorer
from lungpipe.settings.recipe.scorer import ScoreObjectiveSettings, SliceObjectiveSettings
from lungpipe.training.members import TrainingJob
from lungpipe.training.score_objective import ScoreObjective
from lungpipe.training.scorer import train_scorer
from lungpipe.training.slice_objective import SliceObjective, locate

NAN = math.nan
NODULE, EXCLUDED = 1, 2


def objective(**weights):
    return SliceObjective(SliceObjectiveSettings(**weights))


@pytest.fixture
def patches(make_patches):
    """A nodule 4 mm below and 6 mm right of the middle, beside a farther one; a row without; one that is unknown."""
    nodules = [[0.0, -20.0, 0.0, 5.0, NODULE], [2.0, 4.0, 6.0, 20.0, NODULE], [0.0, 0.0, 0.0, 4.0, EXCLUDED]]
    labels = {"is_nodule": [1.0, 0.0, NAN], "malignancy": [1.0, NAN, NAN]}
    return make_patches(nodules, nodules, [], labels=labels, weights=[2.0, 1.0, 1.0], spacing=(1.0, 2.0, 0.5))


def outputs_of(nodule=(0.0, 0.0, 0.0), place=((0.0, 0.0),) * 3, diameter=(0.0, 0.0, 0.0)):
    values = {"nodule": nodule, "malignancy": (0.0, 0.0, 0.0), "place": place, "diameter": diameter}
    return {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}


def test_the_nearest_nodule_of_a_patch_on_a_nodule_is_located(patches):
    located = locate(patches)
    assert located.place_B2[0].tolist() == [2.0, 12.0]
    assert located.diameter_mm_B[0] == 20.0
    assert located.weight_B.tolist() == [2.0, 0.0, 0.0]


def test_patches_without_findings_locate_nothing(make_patches):
    empty = make_patches([], [], labels={"is_nodule": [1.0, 0.0], "malignancy": [NAN, NAN]})
    empty = type(empty)(
        empty.hu_BCZYX, empty.findings_BK5[:, :0], None, empty.labels, empty.weight_B, empty.spacing_zyx_mm
    )
    outputs = {name: value[:2].detach() for name, value in outputs_of().items()}
    assert locate(empty).weight_B.tolist() == [0.0, 0.0]
    assert "localiser_place_mae_px" not in objective().summary(objective().measure(outputs, empty))


def test_the_loss_is_that_of_scores_and_of_place_and_diameter(patches):
    outputs = outputs_of(place=((1.0, 9.0), (99.0, 99.0), (99.0, 99.0)), diameter=(0.0, 9.0, 9.0))
    scores = ScoreObjective(ScoreObjectiveSettings()).loss(outputs, patches).item()
    # errors of 1 and 3 voxels: their mean by 10; log(20 / 10) against 0
    assert objective().loss(outputs, patches).item() == pytest.approx(scores + 0.2 + math.log(2.0))
    plain = objective(place_weight=0.0, diameter_weight=0.0)
    assert plain.loss(outputs, patches).item() == pytest.approx(scores)
    objective().loss(outputs, patches).backward()
    assert outputs["place"].grad[0].any()
    assert not outputs["place"].grad[1:].any()
    assert not outputs["diameter"].grad[1:].any()


def test_losses_of_parts_add_up_to_that_of_the_whole(patches):
    outputs = outputs_of(nodule=(0.3, -1.0, 2.0), place=((1.0, 2.0),) * 3)
    assert objective().counts(patches).tolist() == [3.0, 2.0, 2.0]
    parts = losses_of_parts(objective(), outputs, patches, 2)
    torch.testing.assert_close(sum(parts), objective().loss(outputs, patches))


def test_validation_metrics(patches):
    outputs = outputs_of(nodule=(1.0, 1.0, 1.0), place=((1.0, 9.0),) * 3, diameter=(0.0, 0.0, 0.0))
    outputs = {name: value.detach() for name, value in outputs.items()}
    metrics = objective().summary(objective().measure(outputs, patches))
    assert metrics["validation_accuracy"] == 0.5
    assert metrics["validation_f1"] == pytest.approx(2 / 3)
    assert metrics["localiser_place_mae_px"] == pytest.approx((1 + 3) / 2)
    assert metrics["localiser_place_mae_mm"] == pytest.approx((1 * 2.0 + 3 * 0.5) / 2)
    assert metrics["localiser_centre_mae_px"] == pytest.approx((2 + 12) / 2)
    assert metrics["localiser_diameter_mae_mm"] == pytest.approx(10.0)
    assert metrics["localiser_diameter_mae_px"] == pytest.approx(10.0 / 1.25)
    plain = ScoreObjective(ScoreObjectiveSettings())
    assert metrics["score"] == plain.summary(plain.measure(outputs, patches))["score"]


def test_the_localiser_learns_where_the_nodule_is(ball_scans, cpu):
    part = TrainedScorer.model_validate(
        {
            "network": {"kind": "slice_cnn", "channels": [4, 8, 8], "hidden": 16, "slices_per_plane": 1, "dropout": 0},
            "sampling": {"patch_size_vox": 32, "max_offset_vox": 8},
            "training": {
                "num_steps": 120,
                "batch_size": 8,
                "num_checks": 4,
                "learning_rate": 0.01,
                "objective": {"kind": "slices"},
                "augmentation": {"has_symmetries": False},
            },
            "inference": {},
        }
    )
    lines = []
    job = TrainingJob(cpu, seed=3, log=lambda step, metrics: None, say=lines.append)
    history = train_scorer(part, ball_scans, job, spacing_zyx_mm=(1.0, 1.0, 1.0)).history
    last = history[history["step"] == 120].set_index("metric")["value"]
    assert last["localiser_place_mae_px"] < 0.75 * last["localiser_centre_mae_px"]
    assert last["localiser_centre_mae_px"] > 2.0
    assert lines == []
