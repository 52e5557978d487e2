"""Hard negatives: when a training searches for its own false positives, and what it draws afterwards."""

import numpy as np
import pandas as pd
import pytest
import torch
from ball_parts import ball_detector, searching_detector
from safetensors.torch import save

from lungpipe.models import build_network
from lungpipe.sampling.pools import HARD
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.training.detector import train_detector
from lungpipe.training.hard_negatives import Mining, from_state, join_positions, mining_steps, plan_mining, to_state
from lungpipe.training.members import TrainingJob, feed_plan, open_feeds

SPACING = (1.0, 1.0, 1.0)


def searching(num_rounds=1, **changes):
    return searching_detector(num_rounds, hard=changes)


def positions(*rows):
    return pd.DataFrame(rows, columns=["series_uid", *CENTER_COLUMNS])


@pytest.mark.parametrize(
    ("num_rounds", "first", "expected"),
    [(1, 0.5, (4,)), (1, 0.0, (2,)), (1, 1.0, (6,)), (2, 0.25, (2, 4)), (3, 0.0, (2, 6)), (5, 0.9, (6,))],
)
def test_searches_follow_checks_before_the_last(num_rounds, first, expected):
    # 8 steps with checks after 2, 4, 6 and 8
    assert mining_steps(searching(num_rounds, first_fraction=first)) == expected


def test_a_training_with_one_check_searches_nothing():
    part = ball_detector(num_checks=1, hard_negatives={"num_rounds": 1})
    assert mining_steps(part) == ()


def test_positions_survive_as_plain_lists():
    table = positions(("1.1", 1.0, 2.5, -3.0), ("1.2", 0.0, 0.0, 1.0))
    assert from_state(to_state(table)).equals(table)
    empty = join_positions([])
    assert from_state(to_state(empty)).equals(empty)
    assert join_positions([table[:1], empty, table[1:]]).equals(table)


def test_a_recipe_without_searches_plans_none(ball_scans, cpu):
    material = ball_scans[0]
    assert plan_mining(ball_detector(), cpu, material.volumes, (material.nodules, material.exclusions)) is None


def test_false_positives_are_outside_nodules_in_training_volumes(ball_scans, cpu):
    part, material = searching(max_per_scan=3), ball_scans[0]
    torch.manual_seed(0)
    network = build_network(part.network).eval()
    before = save(network.state_dict())
    mining = plan_mining(part, cpu, material.volumes, (material.nodules, material.exclusions))
    found = mining.search(network)
    assert len(found)
    assert set(found["series_uid"]) <= set(material.volumes)
    assert found.groupby("series_uid").size().max() <= 3
    for row in material.nodules.itertuples():
        own = found.loc[found["series_uid"] == row.series_uid, list(CENTER_COLUMNS)].to_numpy()
        center = [row.center_z_mm, row.center_y_mm, row.center_x_mm]
        assert (np.linalg.norm(own - center, axis=1) >= row.diameter_mm / 2).all()
    assert save(network.state_dict()) == before


def test_later_batches_have_their_share_of_false_positives(ball_scans, cpu):
    part = searching(batch_fraction=0.5)
    job = TrainingJob(cpu, 3, lambda step, metrics: None)
    feed, other = open_feeds(ball_scans, feed_plan(part, job, SPACING, hard_fraction=0.5))
    try:
        before = feed.batch(7)
        count = len(feed)
        uid = next(iter(ball_scans[0].volumes))
        found = Mining((), lambda network: positions((uid, 3.0, 4.0, 5.0))).add_to(feed, torch.nn.Identity())
        assert len(feed) == count + 1
        assert len(found) == 1
        for step in range(5):
            assert (feed.batch(step).rows == count).sum() == 2
        after = feed.batch(0)
        labels = after.labels["is_nodule"][torch.from_numpy(after.rows == count)]
        assert labels.tolist() == [0.0, 0.0]
        assert feed._points["kind"].iloc[-1] == HARD
        assert not np.array_equal(feed.batch(7).rows, before.rows)
    finally:
        feed.close()
        other.close()


def test_nothing_found_changes_no_draw(ball_scans, cpu):
    part, job = searching(), TrainingJob(cpu, 3, lambda step, metrics: None)
    feed, other = open_feeds(ball_scans, feed_plan(part, job, SPACING, hard_fraction=0.5))
    try:
        before = feed.batch(3).rows
        Mining((), lambda network: join_positions([])).add_to(feed, torch.nn.Identity())
        np.testing.assert_array_equal(feed.batch(3).rows, before)
    finally:
        feed.close()
        other.close()


def test_a_training_tells_how_many_it_added_and_goes_another_way(ball_scans, cpu):
    logged = {}
    job = TrainingJob(cpu, 3, lambda step, metrics: logged.update({step: dict(metrics)}))
    searched, plain = (
        train_detector(part, ball_scans, job, spacing_zyx_mm=SPACING) for part in (searching(), searching(0))
    )
    rows = searched.history[searched.history["metric"] == "num_hard_negatives"]
    assert rows["step"].tolist() == [4]
    assert rows["value"].iloc[0] > 0
    assert "mining_seconds" not in set(searched.history["metric"])
    losses = [
        history.loc[history["metric"] == "training_loss"].set_index("step")["value"]
        for history in (searched.history, plain.history)
    ]
    assert losses[0][[2, 4]].equals(losses[1][[2, 4]])
    assert (losses[0][[6, 8]] != losses[1][[6, 8]]).all()
