"""Learning malignancy from measures: rated nodules alone, with moved copies, the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from lungpipe.tables.measures import MEASURED
from lungpipe.training import measured
from lungpipe.training.members import TrainingJob


@pytest.fixture
def job(cpu):
    return TrainingJob(cpu, 1, lambda step, metrics: None, num_threads=1)


@pytest.fixture
def rated(ball_scans):
    """Balls, each forty times: the brighter ones rated 5 by all readers, the others 1."""
    material = ball_scans[0]
    nodules = material.points[material.points["kind"] == "nodule"]
    points = nodules.loc[nodules.index.repeat(40)].reset_index(drop=True)
    bright = np.array([row["hu_p50"] for row in measured.measure_points(points, material, 1)])
    ratings = np.zeros((len(points), 9, 6), np.float32)
    is_high = bright > np.median(bright)
    ratings[is_high, 0, 4], ratings[~is_high, 0, 0] = 1.0, 1.0
    return replace(material, points=points, labels={"ratings": ratings}), is_high


def test_it_ranks_the_nodules_as_the_readers_did(rated, job):
    material, is_high = rated
    [fitted] = measured.learn_measured(material, job)
    assert fitted.values == MEASURED
    logits = fitted.logits(measured.measure_points(material.points, material, 1))
    assert logits[is_high].min() > 0 > logits[~is_high].max()
    assert measured.learn_measured(material, job) == (fitted,)
    assert measured.learn_measured(material, replace(job, seed=2)) != (fitted,)


def test_nodules_without_ratings_teach_nothing(rated, job):
    material, _ = rated
    ratings = material.labels["ratings"].copy()
    ratings[measured.LEAST_RATED - 1 :] = np.nan
    assert measured.learn_measured(replace(material, labels={"ratings": ratings}), job) == ()
    same = np.zeros_like(ratings)
    same[:, 0, 1] = 1.0
    assert measured.learn_measured(replace(material, labels={"ratings": same}), job) == ()


def test_copies_move_by_a_part_of_their_diameter(ball_scans, job):
    nodules = ball_scans[0].points.loc[ball_scans[0].points["kind"] == "nodule"].iloc[[0] * 4000]
    for diameter, expected in ((4.0, measured.MOVED_MM), (40.0, 1.0)):
        moved = measured._moved(nodules.assign(diameter_mm=diameter), np.random.default_rng(0))
        shift = moved["center_z_mm"].to_numpy() - nodules["center_z_mm"].to_numpy()
        assert shift.std() == pytest.approx(expected, rel=0.05)
        assert np.log(moved["diameter_mm"] / diameter).std() == pytest.approx(measured.MOVED_LOG, rel=0.05)
