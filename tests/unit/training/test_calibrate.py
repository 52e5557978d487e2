"""Calibration of malignancy: fitted on annotated validation nodules, and left out where there are too few."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lungpipe.evaluation.calibration import fit_logistic
from lungpipe.geometry import window_around
from lungpipe.models.card import MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE
from lungpipe.sampling.plan import FeedPlan
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.training import calibrate
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
        return {"malignancy": self.factor * hu[:, 0, 4, 4, 4] / 100}


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
    intercept, slope = fit_logistic(cases["malignancy"], 2.0 * middle_hu(cases, validation.volumes) / 100)
    assert found == {
        MALIGNANCY_INTERCEPT: pytest.approx(intercept, rel=1e-4),
        MALIGNANCY_SLOPE: pytest.approx(slope, rel=1e-4),
    }
    # every case with its own diameter, the candidate not
    assert members[0].seen == [float(row) for row in cases.index]


def test_a_logit_that_falls_with_the_risk_calibrates_nothing(cpu, validation):
    assert calibrated(cpu, validation, Brightness(-1.0)) == {}


def test_too_few_nodules_of_a_kind_calibrate_nothing(cpu, validation):
    points = validation.points
    malignant = points.index[(points["malignancy"] == 1) & (points["kind"] == "nodule")]
    kept = malignant[: calibrate.LEAST_CASES - 1]
    few = points.assign(malignancy=points["malignancy"].where(~points.index.isin(malignant.difference(kept)), 0.0))
    assert calibrated(cpu, replace(validation, points=few), Brightness()) == {}
