"""Calibration of malignancy: fitted on annotated validation nodules, and left out where there are too few."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lungpipe.candidates.odds import clipped_logit
from lungpipe.evaluation.calibration import fit_shares
from lungpipe.geometry import window_around
from lungpipe.models.card import (
    MALIGNANCY_INTERCEPT,
    MALIGNANCY_MEASURED,
    MALIGNANCY_SLOPE,
    NODULE_DETECTOR,
    NODULE_INTERCEPT,
    NODULE_SCORER,
)
from lungpipe.models.measured import MeasuredMalignancy
from lungpipe.sampling.plan import FeedPlan
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.training import calibrate
from lungpipe.training.measured import measure_points
from lungpipe.training.members import Trained, TrainingJob
from lungpipe.volumes.store import open_volume

PLAN = FeedPlan(patch_size_vox=8, batch_size=5, seed=1, max_offset_vox=2, nodule_fraction=0.5, rest="others")


class Brightness(torch.nn.Module):
    """A network whose logit of malignancy is the middle voxel's HU by 100, times `factor`."""

    takes_diameter = True

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor, self.seen = factor, []

    def forward(self, hu, diameter_mm):
        self.seen += diameter_mm.tolist()
        logits = self.factor * hu[:, 0, 4, 4, 4] / 100
        return {"malignancy": logits, "nodule": logits + 1.0}


def middle_hu(points, volumes):
    values = []
    for row in points.itertuples():
        volume = open_volume(volumes[row.series_uid])
        index = volume.grid.to_index([getattr(row, name) for name in CENTER_COLUMNS])
        values.append(float(volume.read_hu(window_around(index, (8, 8, 8)))[4, 4, 4]))
    return np.array(values)


@pytest.fixture
def validation(ball_scans):
    """Balls, each twenty times, brighter ones more often malignant; and points that are no annotated nodules."""
    material = ball_scans[0]
    nodules = material.points[material.points["kind"] == "nodule"]
    rows = nodules.index.repeat(20)
    points = material.points.loc[[*rows, *material.points.index]].reset_index(drop=True)
    bright = middle_hu(points, material.volumes)
    labels = np.random.default_rng(0).random(len(points)) < np.where(bright > np.median(bright[: len(rows)]), 0.8, 0.2)
    points["malignancy"] = np.where(np.arange(len(points)) < len(rows), labels, np.nan)
    # a candidate on a nodule has a label too
    points.loc[len(points) - 1, ["kind", "malignancy"]] = ["candidate", 1.0]
    return replace(material, points=points, labels={"diameter_mm": np.arange(len(points), dtype=np.float32)})


def calibrated(cpu, validation, *members):
    job = TrainingJob(cpu, 1, lambda step, metrics: None)
    return calibrate.calibrate_malignancy(Trained(members, (), 1), validation, job, PLAN)


def test_it_is_the_regression_on_the_members_mean_logit_over_annotated_nodules(cpu, validation):
    members = Brightness(), Brightness(3.0)
    found = calibrated(cpu, validation, *members)
    cases = validation.points[(validation.points["kind"] == "nodule") & validation.points["malignancy"].notna()]
    logits = 2.0 * middle_hu(cases, validation.volumes)[:, None] / 100
    intercept, slopes = fit_shares(cases["malignancy"], logits, prior=1.0, strength=10.0, intercept_strength=20.0)
    assert found == {
        MALIGNANCY_INTERCEPT: pytest.approx(intercept, rel=1e-4),
        MALIGNANCY_SLOPE: pytest.approx(slopes[0], rel=1e-4),
    }
    # every case with its own diameter, the candidate not
    assert members[0].seen == [float(row) for row in cases.index]


def test_networks_and_measures_are_calibrated_together(cpu, validation):
    measured = MeasuredMalignancy(values=("hu_p50",), knots=((-1000.0, 0.0, 1000.0),), weights=(1.5,), intercept=0.3)
    points = validation.points.assign(diameter_mm=validation.points["diameter_mm"].fillna(5.0))
    job = TrainingJob(cpu, 1, lambda step, metrics: None)
    trained = Trained((Brightness(),), (), 1, measured=(measured, replace(measured, intercept=0.5)))
    found = calibrate.calibrate_malignancy(trained, replace(validation, points=points), job, PLAN)
    cases = points[(points["kind"] == "nodule") & points["malignancy"].notna()]
    by_measures = measured.logits(measure_points(cases, validation, 1)) + 0.1
    logits = 0.2 * middle_hu(cases, validation.volumes) / 100 + 0.8 * by_measures
    priors = {"prior": 1.0, "strength": 10.0, "intercept_strength": 20.0}
    intercept, [slope] = fit_shares(cases["malignancy"], logits[:, None], **priors)
    names = MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE, MALIGNANCY_MEASURED
    expected = dict(zip(names, (intercept, 0.2 * slope, 0.8 * slope), strict=True))
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_logit_that_falls_with_the_risk_calibrates_nothing(cpu, validation):
    assert calibrated(cpu, validation, Brightness(-20.0)) == {}


def test_too_few_nodules_of_a_kind_calibrate_nothing(cpu, validation):
    points = validation.points
    malignant = points.index[(points["malignancy"] == 1) & (points["kind"] == "nodule")]
    kept = malignant[: calibrate.LEAST_CASES - 1]
    few = points.assign(malignancy=points["malignancy"].where(~points.index.isin(malignant.difference(kept)), 0.0))
    assert calibrated(cpu, replace(validation, points=few), Brightness()) == {}


@pytest.fixture
def found(validation):
    """Candidates at every point, of which the brighter half are hits, with scores of the detector."""
    points = validation.points
    bright = middle_hu(points, validation.volumes)
    rng = np.random.default_rng(2)
    hits = rng.random(len(points)) < np.where(bright > np.median(bright), 0.8, 0.2)
    scores = rng.uniform(0.01, 0.99, len(points)).astype(np.float32)
    labels = {**validation.labels, "detector_score": scores}
    return replace(validation, points=points.assign(kind="candidate", is_nodule=hits.astype(float)), labels=labels)


def weighed(cpu, material, *members):
    job = TrainingJob(cpu, 1, lambda step, metrics: None)
    return calibrate.calibrate_nodule(Trained(members, (), 1), material, job, PLAN)


def test_a_nodule_is_the_regression_on_the_logits_of_detector_and_scorer(cpu, found):
    figures = weighed(cpu, found, Brightness())
    scorer = middle_hu(found.points, found.volumes) / 100 + 1.0
    logits = np.stack([clipped_logit(found.labels["detector_score"]), scorer], axis=1)
    intercept, slopes = fit_shares(found.points["is_nodule"], logits, prior=0.5, strength=1.0)
    assert figures == {
        NODULE_INTERCEPT: pytest.approx(intercept, rel=1e-4),
        NODULE_DETECTOR: pytest.approx(slopes[0], rel=1e-4),
        NODULE_SCORER: pytest.approx(slopes[1], rel=1e-4),
    }


def test_only_candidates_with_a_label_and_a_score_weigh_detector_and_scorer(cpu, found):
    whole = weighed(cpu, found, Brightness())
    points, scores = found.points.copy(), found.labels["detector_score"].copy()
    more = len(points)
    rows = np.concatenate([np.arange(more), [0, 1, 2]])
    points = points.loc[rows].reset_index(drop=True)
    scores = scores[rows]
    points.loc[more, "kind"] = "nodule"
    points.loc[more + 1, "is_nodule"] = np.nan
    scores[more + 2] = np.nan
    labels = {**{name: values[rows] for name, values in found.labels.items()}, "detector_score": scores}
    assert weighed(cpu, replace(found, points=points, labels=labels), Brightness()) == pytest.approx(whole)


def test_too_few_hits_and_recipes_without_candidates_weigh_nothing(cpu, found, validation):
    few = found.points.assign(is_nodule=(np.arange(len(found.points)) < calibrate.LEAST_HITS - 1).astype(float))
    assert weighed(cpu, replace(found, points=few), Brightness()) == {}
    assert weighed(cpu, validation, Brightness()) == {}


def test_a_probability_is_moved_to_how_frequent_nodules_are(cpu, found):
    job = TrainingJob(cpu, 1, lambda step, metrics: None)
    moved = calibrate.calibrate_nodule(Trained((Brightness(),), (), 1), found, job, PLAN, nodules_per_litre=0.5)
    plain = weighed(cpu, found, Brightness())
    litres = sum(np.prod(open_volume(path).grid.shape_zyx) for path in found.volumes.values()) / 1e6
    own = found.nodules["series_uid"].isin(list(found.volumes)).sum() / litres
    assert moved.pop(NODULE_INTERCEPT) == pytest.approx(plain.pop(NODULE_INTERCEPT) + np.log(0.5 / own))
    assert moved == plain
