"""Validation windows that are shifted: the same for every seed, and they show what their findings say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lungpipe.sampling.feed import Feed
from lungpipe.sampling.plan import FeedPlan
from lungpipe.tables import CENTER_COLUMNS, POINTS

SHAPE = (30, 32, 34)
PLAN = FeedPlan(patch_size_vox=8, batch_size=4, seed=5, max_offset_vox=3)


@pytest.fixture
def batch_of(write_store, make_nodules, make_exclusions):
    """Return the one fixed batch of three points by a plan."""
    # voxels count up along x, then y, then z
    store = write_store("1.1", np.arange(np.prod(SHAPE)).reshape(SHAPE) % 30_000)
    findings = make_nodules(("1.1", (12, 14, 16), 6.0, None)), make_exclusions()
    columns = {"kind": "nodule", "nodule_id": None, "diameter_mm": 6.0, "is_nodule": 1.0, "malignancy": np.nan}
    centers = pd.DataFrame([(12.0, 14.0, 16.0)] * 3, columns=list(CENTER_COLUMNS))
    points = POINTS.conform(centers.assign(series_uid="1.1", is_crop=False, weight=1.0, **columns))

    def make(plan):
        feed = Feed(points, {"1.1": store}, findings, plan)
        [batch] = feed.fixed_batches(3)
        feed.close()
        return batch

    return make


def test_shifts_depend_on_the_row_alone(batch_of):
    one, other = (batch_of(replace(PLAN, is_shifted=True, seed=seed)) for seed in (5, 6))
    assert torch.equal(one.hu_BZYX, other.hu_BZYX)
    assert one.rows.tolist() == [0, 1, 2]
    assert one.draws == {}
    assert not torch.equal(one.hu_BZYX[0], one.hu_BZYX[1])


def test_a_shifted_window_shows_what_its_findings_say(batch_of):
    plain, shifted = batch_of(PLAN), batch_of(replace(PLAN, is_shifted=True))
    shifts = (plain.findings_BK5[:, 0, :3] - shifted.findings_BK5[:, 0, :3]).numpy()
    assert shifts.any(axis=0).all()
    assert np.abs(shifts).max() <= PLAN.max_offset_vox
    steps = shifts @ np.array([SHAPE[1] * SHAPE[2], SHAPE[2], 1])
    middle = (slice(None), 4, 4, 4)
    assert (shifted.hu_BZYX[middle].int() - plain.hu_BZYX[middle].int()).tolist() == steps.tolist()
