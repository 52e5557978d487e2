"""What several rooms' tests start from: small stores, tables of findings, and this machine's CPU in float32."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.geometry import Grid
from lungpipe.tables import CENTER_COLUMNS, EXCLUSIONS, NODULES
from lungpipe.volumes.writer import write_volume


def _nodules(*rows):
    """Build NODULES from rows of (series_uid, centre zyx mm, diameter mm, ratings)."""
    columns = {
        "nodule_id": [f"{uid}#{row}" for row, (uid, *_) in enumerate(rows)],
        "series_uid": [uid for uid, *_ in rows],
        **{name: [center[axis] for _, center, *_ in rows] for axis, name in enumerate(CENTER_COLUMNS)},
        "diameter_mm": [diameter for *_, diameter, _ in rows],
        "malignancy_ratings": [ratings for *_, ratings in rows],
    }
    return NODULES.conform(pd.DataFrame(columns)) if rows else NODULES.empty()


def _exclusions(*rows):
    """Build EXCLUSIONS from rows of (series_uid, centre zyx mm, diameter mm)."""
    table = pd.DataFrame(
        [(uid, *center, diameter) for uid, center, diameter in rows],
        columns=["series_uid", *CENTER_COLUMNS, "diameter_mm"],
    )
    return EXCLUSIONS.conform(table)


@pytest.fixture(scope="session")
def make_nodules():
    return _nodules


@pytest.fixture(scope="session")
def make_exclusions():
    return _exclusions


@pytest.fixture
def write_store(tmp_path):
    """Write one small volume and return its path; without `lungs` the whole volume is lung."""

    def write(series_uid, hu, spacing=(1.0, 1.0, 1.0), *, origin=(0.0, 0.0, 0.0), lungs=None):
        path = tmp_path / f"{series_uid}.ome.zarr"
        lungs = np.ones(hu.shape, np.uint8) if lungs is None else lungs.astype(np.uint8)
        grid = Grid(hu.shape, spacing, origin)
        write_volume(path, hu.astype(np.int16), grid, lungs, series_uid=series_uid, attributes={})
        return path

    return write


@pytest.fixture(scope="session")
def cpu():
    from lungpipe.models import choose_hardware
    from lungpipe.settings import ComputeSettings

    # one thread: on a machine with other work, small networks lose more by waiting for each other than they gain
    return choose_hardware(ComputeSettings(device="cpu", precision="float32"), 1)
