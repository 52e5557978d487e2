"""A trained network of each kind of scorer, made once."""

import ball_networks
import pytest


@pytest.fixture(scope="session", params=sorted(ball_networks.KINDS))
def trained(request):
    """Kind, trained network and side of its patches (voxels)."""
    return request.param, ball_networks.train_on_balls(request.param), ball_networks.KINDS[request.param][1]
