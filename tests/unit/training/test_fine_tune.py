"""Fine-tuning trains malignancy alone: every other weight, and every nodule score, keeps its bits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lungpipe.models import build_network
from lungpipe.settings.recipe import BlockCnnSettings, TrainedScorer
from lungpipe.training.fine_tune import PartlyTrained, only_trained, rated_alone
from lungpipe.training.members import TrainingJob, delete_resume_files, tuning_path
from lungpipe.training.scorer import train_scorer

SPACING = (1.0, 1.0, 1.0)
FINE_TUNE = {"steps_share": 0.5, "learning_rate": 0.01}


def make_part(fine_tune=FINE_TUNE, **training):
    return TrainedScorer.model_validate(
        {
            "network": {"kind": "block_cnn", "channels": [4, 6], "tuned_blocks": 1},
            "sampling": {"patch_size_vox": 16, "max_offset_vox": 2},
            "training": {
                "num_steps": 8,
                "batch_size": 4,
                "num_checks": 2,
                "learning_rate": 0.01,
                "objective": {"kind": "score", "malignancy_weight": 0.0},
                "fine_tune": fine_tune,
            }
            | training,
            "inference": {},
        }
    )


@pytest.fixture(scope="module")
def rated_scans(ball_scans):
    """The ball scans with every second nodule point malignant."""
    return tuple(replace(side, points=rate(side.points)) for side in ball_scans)


def rate(points):
    rated = points.copy()
    rows = rated.index[rated["is_nodule"] == 1]
    rated.loc[rows, "malignancy"] = np.arange(len(rows)) % 2.0
    return rated


def train(part, material, cpu, **changes):
    heard = []
    job = TrainingJob(cpu, seed=3, log=lambda step, metrics: heard.append((step, set(metrics))), **changes)
    return train_scorer(part, material, job, spacing_zyx_mm=SPACING), heard


def is_malignancys(name):
    return name.startswith("malignancy_")


@pytest.fixture(scope="module")
def tuned(rated_scans, cpu):
    return train(make_part(), rated_scans, cpu)


def test_all_but_the_malignancy_parts_keep_their_bits(rated_scans, cpu, tuned):
    plain, _ = train(make_part(fine_tune=None), rated_scans, cpu)
    one, other = plain.members[0].state_dict(), tuned[0].members[0].state_dict()
    moved = {name for name, tensor in one.items() if not torch.equal(tensor, other[name])}
    assert moved == {name for name in one if is_malignancys(name)}
    hu = torch.randint(-1000, 400, (3, 1, 16, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    with torch.inference_mode():
        before, after = (trained.members[0].eval()(hu) for trained in (plain, tuned[0]))
    assert torch.equal(before["nodule"], after["nodule"])
    assert not torch.equal(before["malignancy"], after["malignancy"])


def test_the_tuned_blocks_start_from_those_of_the_nodule(rated_scans, cpu):
    still = make_part(fine_tune={"steps_share": 0.5, "learning_rate": 1e-12}, weight_decay=0.0)
    [member] = train(still, rated_scans, cpu)[0].members
    for one, other in zip(member.nodule_blocks.parameters(), member.malignancy_blocks.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def test_its_steps_follow_those_of_the_training_under_names_of_their_own(tuned):
    trained, heard = tuned
    assert [step for step, _ in heard] == [4, 8, 10, 12]
    assert trained.total_steps == 12
    rows = trained.history.groupby("metric")["step"].agg(list).to_dict()
    assert rows["score"] == rows["training_loss"] == [4, 8]
    assert rows["tuning_score"] == rows["tuning_training_loss"] == rows["tuning_validation_loss"] == [10, 12]
    assert "score" not in heard[-1][1]
    assert trained.outcomes[0].best_step <= 8


def test_malignancy_is_learned(rated_scans, cpu):
    part = make_part(fine_tune={"steps_share": 5.0, "learning_rate": 0.02})
    history = train(part, rated_scans, cpu)[0].history
    losses = history[history["metric"] == "tuning_training_loss"]["value"].to_numpy()
    assert losses[-1] < losses[0]


def test_a_second_member_follows_the_fine_tuning_of_the_first(rated_scans, cpu):
    _, heard = train(make_part(num_members=2), rated_scans, cpu)
    assert [step for step, _ in heard] == [4, 8, 10, 12, 16, 20, 22, 24]


def test_a_stopped_fine_tuning_goes_on_and_its_file_is_deleted_at_the_end(rated_scans, cpu, tuned, tmp_path):
    class StopError(Exception):
        pass

    def stop(step, metrics):
        if step == 10:
            raise StopError

    job = TrainingJob(cpu, seed=3, log=stop, resume_dir=tmp_path)
    with pytest.raises(StopError):
        train_scorer(make_part(), rated_scans, job, spacing_zyx_mm=SPACING)
    again, _ = train(make_part(), rated_scans, cpu, resume_dir=tmp_path)
    assert tuning_path(job, 0).is_file()
    one, other = (trained.members[0].state_dict() for trained in (again, tuned[0]))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    pd.testing.assert_frame_equal(again.history, tuned[0].history)
    delete_resume_files("scorer", job, 1)
    assert list(tmp_path.iterdir()) == []


def test_without_ratings_nothing_is_tuned_and_a_line_says_so(ball_scans, rated_scans, cpu):
    lines = []
    trained, heard = train(make_part(), (rated_scans[0], ball_scans[1]), cpu, say=lines.append)
    assert [step for step, _ in heard] == [4, 8]
    assert set(trained.history["step"]) == {4, 8}
    [line] = [line for line in lines if "fine-tuned" in line]
    assert line.startswith("malignancy is not fine-tuned: ")
    assert line.endswith(" and 0 rated points for training and validation")


def test_both_labels_weigh_the_same(ball_scans):
    points = ball_scans[0].points.copy()
    rows = points.index[points["is_nodule"] == 1]
    points["malignancy"] = np.nan
    points.loc[rows, "malignancy"] = 0.0
    points.loc[rows[:1], ["malignancy", "weight"]] = 1.0, 2.0
    numbers = np.arange(len(points), dtype=np.float32)
    side = rated_alone(replace(ball_scans[0], points=points, labels={"number": numbers}))
    rated = side.points
    assert side.labels["number"].tolist() == rows.tolist()
    assert len(rated) == len(rows)
    totals = rated.groupby("malignancy")["weight"].sum()
    assert totals[1.0] == pytest.approx(totals[0.0])
    assert totals.sum() == pytest.approx(len(rows) + 1.0)


def test_only_the_named_parts_have_gradients_and_training_mode():
    network = build_network(BlockCnnSettings(channels=(4, 6)))
    partly = PartlyTrained(network, network.tuned_parts)
    network(torch.zeros(2, 1, 8, 8, 8))["nodule"].sum().backward()
    with only_trained(network, network.tuned_parts):
        assert all(weight.grad is None for weight in network.parameters())
        names = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert names == {name for name, _ in network.named_parameters() if is_malignancys(name)}
    assert all(weight.requires_grad for weight in network.parameters())
    partly.train()
    assert not network.normalise.training
    assert network.malignancy_blocks[0].training
    assert partly.training
    partly.eval()
    assert not network.malignancy_blocks[0].training
