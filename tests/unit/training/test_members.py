"""Members, detector and scorer: seeds, feeds, refusals, and what reaches the network."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from ball_parts import ball_detector, ball_scorer
from safetensors.torch import save

from lungpipe.models import Hardware
from lungpipe.tables import HISTORY
from lungpipe.training.detector import train_detector, with_consensus_weights
from lungpipe.training.members import Trained, TrainingJob, build_objective, feed_plan, identity_of, open_feeds
from lungpipe.training.scorer import train_scorer

SPACING = (1.0, 1.0, 1.0)


def job_of(hardware, **changes):
    heard = []
    return TrainingJob(hardware, **{"seed": 3, "log": lambda step, _: heard.append(step), **changes}), heard


def weights_of(network):
    return save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})


@pytest.mark.parametrize("kind", ["unet", "center_net", "scorer"])
def test_every_kind_of_network_is_trained(ball_scans, hardware, kind):
    networks = {"center_net": {"kind": "center_net", "output_stride": 2}, "unet": None}
    length = {"num_steps": 40, "batch_size": 8, "num_checks": 4}
    part = ball_scorer(**length) if kind == "scorer" else ball_detector(networks[kind], **length)
    train = train_scorer if kind == "scorer" else train_detector
    job, heard = job_of(hardware)
    trained = train(part, ball_scans, job, spacing_zyx_mm=SPACING)
    assert heard == [10, 20, 30, 40]
    assert len(trained.members) == len(trained.outcomes) == 1
    loss = trained.history.query("metric == 'training_loss'")["value"].to_numpy()
    assert loss[-1] < 0.9 * loss[0]


def test_members_differ_and_follow_one_another(ball_scans, cpu):
    job, heard = job_of(cpu)
    trained = train_detector(ball_detector(num_members=2), ball_scans, job, spacing_zyx_mm=SPACING)
    assert heard == [2, 4, 6, 8, 10, 12, 14, 16]
    assert weights_of(trained.members[0]) != weights_of(trained.members[1])
    HISTORY.conform(trained.history)
    assert trained.history["step"].max() == 16
    assert max(outcome.best_step for outcome in trained.outcomes) <= 8


def test_the_first_member_is_that_of_a_training_without_others(ball_scans, cpu):
    one, two = (
        train_detector(ball_detector(num_members=n), ball_scans, job_of(cpu)[0], spacing_zyx_mm=SPACING) for n in (1, 2)
    )
    assert weights_of(one.members[0]) == weights_of(two.members[0])


def test_seeds_depend_on_study_fold_and_member(cpu):
    jobs = [job_of(cpu, seed=seed, fold=fold)[0] for seed in (0, 1) for fold in (None, 0, 1)]
    assert len({job.member_seed(member) for job in jobs for member in range(3)}) == 18


def test_identities_tell_trainings_apart(cpu):
    job = job_of(cpu)[0]
    identities = {
        identity_of(ball_detector(), job, 1),
        identity_of(ball_detector(learning_rate=0.5), job, 1),
        identity_of(ball_detector(), job, 2),
        identity_of(ball_detector(), replace(job, identity="other"), 1),
    }
    assert len(identities) == 4
    assert identity_of(ball_detector(), job, 1) == identity_of(ball_detector(), job_of(cpu)[0], 1)


def test_a_detectors_feed_draws_small_nodules_and_a_scorers_balances(cpu):
    detector, scorer = ball_detector(), ball_scorer()
    drawn = feed_plan(detector, job_of(cpu)[0], SPACING, small_nodule_power=1.0, mask="sphere")
    assert (drawn.patch_size_vox, drawn.max_offset_vox, drawn.margin_vox, drawn.batch_size) == (16, 2, 0, 4)
    assert (drawn.nodule_fraction, drawn.small_nodule_power, drawn.rest) == (0.6, 1.0, "all")
    assert feed_plan(scorer, job_of(cpu)[0], SPACING, rest="others").nodule_fraction == 0.5
    turned = ball_detector(augmentation={"rotation_deg": 20.0})
    assert feed_plan(turned, job_of(cpu)[0], SPACING).margin_vox > 0


@pytest.mark.parametrize("role", ["detector", "scorer"])
def test_each_role_draws_as_its_settings_say(ball_scans, cpu, monkeypatch, role):
    module = importlib.import_module(f"lungpipe.training.{role}")
    plans = []
    trained = Trained((), (), 1)
    monkeypatch.setattr(module, "train_members", lambda part, material, job, plan, **_: plans.append(plan) or trained)
    if role == "detector":
        sampling = {"small_nodule_power": 2.0, "nodule_fraction": 0.25}
        part = ball_detector()
        part = part.model_copy(update={"sampling": part.sampling.model_copy(update=sampling)})
        train_detector(part, ball_scans, job_of(cpu)[0], spacing_zyx_mm=SPACING)
        assert (plans[0].small_nodule_power, plans[0].nodule_fraction, plans[0].rest) == (2.0, 0.25, "all")
    else:
        train_scorer(ball_scorer(), ball_scans, job_of(cpu)[0], spacing_zyx_mm=SPACING)
        assert (plans[0].small_nodule_power, plans[0].nodule_fraction, plans[0].rest) == (0.0, 0.5, "others")


def test_training_augments_and_validation_does_not(ball_scans, cpu):
    feeds = open_feeds(ball_scans, feed_plan(ball_detector(), job_of(cpu)[0], SPACING))
    try:
        assert set(feeds[0].batch(0).draws) == {"symmetry", "hu_scale", "hu_shift"}
        assert next(feeds[1].fixed_batches(2)).draws == {}
        assert {uid[:3] for uid in feeds[0].batch(0).series} == {"1.1"}
        assert {uid[:3] for batch in feeds[1].fixed_batches(4) for uid in batch.series} == {"1.2"}
    finally:
        for feed in feeds:
            feed.close()


def test_training_may_keep_three_quarters_of_the_windows(ball_scans, cpu, monkeypatch):
    from lungpipe.training import members

    plans = []
    monkeypatch.setattr(members, "Feed", lambda points, volumes, tables, plan, masks, labels: plans.append(plan))
    open_feeds(ball_scans, feed_plan(ball_detector(), job_of(cpu)[0], SPACING))
    assert [plan.cache_bytes for plan in plans] == [3 * 2**30, 2**30]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_windows_for_a_graphics_card_are_pinned(device):
    hardware = Hardware(torch.device(device), torch.float32)
    assert feed_plan(ball_detector(), job_of(hardware)[0], SPACING).is_pinned == (device == "cuda")


def test_settings_choose_the_objective():
    center = ball_detector({"kind": "center_net", "output_stride": 2})
    names = [type(build_objective(part)).__name__ for part in (ball_detector(), center, ball_scorer())]
    assert names == ["MaskObjective", "CenterObjective", "ScoreObjective"]


def test_what_cannot_be_trained_is_refused(ball_scans, cpu):
    training, validation = ball_scans
    empty = replace(training, points=training.points[:0])
    lung = replace(training, points=training.points[training.points["is_nodule"] == 0])
    nodules = replace(training, points=training.points[training.points["is_nodule"] == 1])
    job = job_of(cpu)[0]
    for part, train, material, message in [
        (ball_detector(), train_detector, (empty, validation), "detector: expected points for training, found none"),
        (ball_detector(), train_detector, (training, empty), "detector: expected points for validation, found none"),
        (ball_detector(), train_detector, (lung, validation), "expected nodules in the training series, found none"),
        (ball_scorer(), train_scorer, (lung, validation), "scorer: expected nodules and others.*found 0 nodules among"),
        (ball_scorer(), train_scorer, (nodules, validation), "scorer: expected nodules and others to train on"),
        (ball_scorer(), train_scorer, (training, empty), "0 for validation"),
    ]:
        with pytest.raises(ValueError, match=message):
            train(part, material, job, spacing_zyx_mm=SPACING)


def test_consensus_weighs_annotated_nodules_by_their_readers(ball_scans):
    training = ball_scans[0]
    ratings = ["3;4;5", "3;4;5;1", None, *["2"] * (len(training.nodules) - 3)]
    material = replace(training, nodules=training.nodules.assign(malignancy_ratings=ratings))
    weighted = with_consensus_weights(material).points
    annotated = weighted[weighted["kind"] == "nodule"]
    expected = [0.75, 1.0, 1.0, *[0.25] * (len(ratings) - 3)]
    assert dict(zip(annotated["series_uid"], annotated["weight"], strict=True)) == dict(
        zip(training.nodules["series_uid"], expected, strict=True)
    )
    assert np.all(weighted.loc[weighted["kind"] != "nodule", "weight"] == 1.0)


def test_consensus_is_asked_for_by_the_objective(ball_scans, cpu, monkeypatch):
    from lungpipe.training import detector

    asked = []
    monkeypatch.setattr(detector, "with_consensus_weights", lambda side: asked.append(side) or side)
    network = {"kind": "center_net", "output_stride": 2}
    for has_weights in (False, True):
        objective = {"kind": "center", "has_consensus_weights": has_weights}
        part = ball_detector(network, objective=objective, num_steps=1, num_checks=1)
        train_detector(part, ball_scans, job_of(cpu)[0], spacing_zyx_mm=SPACING)
        assert len(asked) == 2 * has_weights
