"""What the trainings' tests start from: this machine's devices, patches made by hand, and tiny scans with balls."""

import numpy as np
import pytest
import torch
from ball_scans import write_ball_scans

from lungpipe.models import choose_hardware
from lungpipe.settings import ComputeSettings
from lungpipe.training.augment import TrainingPatches

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def hardware(request):
    """Each device of this machine in float32; CUDA only in runs of the `gpu` tests."""
    return choose_hardware(ComputeSettings(device=request.param, precision="float32"), 1)


@pytest.fixture(scope="session")
def ball_scans(tmp_path_factory):
    """Material of six training scans and three validation scans of 24^3 voxels with a ball in most of them."""
    folder = tmp_path_factory.mktemp("scans")
    return write_ball_scans(folder / "training", 6, seed=1), write_ball_scans(folder / "validation", 3, seed=2)


@pytest.fixture(scope="session")
def make_patches():
    """Build patches of air from findings; each patch's findings are rows of z, y, x (mm), diameter (mm), kind."""

    def make(*findings, side=8, labels=None, weights=None, mask=None, spacing=(1.0, 1.0, 1.0)):
        most = max([len(rows) for rows in findings] + [1])
        table = np.zeros((len(findings), most, 5), np.float32)
        for patch, rows in enumerate(findings):
            for column, row in enumerate(rows):
                table[patch, column] = row
        return TrainingPatches(
            torch.full((len(findings), 1, side, side, side), -1000.0),
            torch.from_numpy(table),
            mask,
            {name: torch.tensor(values) for name, values in (labels or {}).items()},
            torch.ones(len(findings)) if weights is None else torch.tensor(weights),
            spacing,
        )

    return make
