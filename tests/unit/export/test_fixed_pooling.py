"""Fixed pooling is adaptive pooling."""

import pytest
import torch
from torch import nn

from lungpipe.export.fixed_pooling import FixedPool, fix_pooling, pooling_matrix


@pytest.mark.parametrize("sides", [4, (2, 3, 5), (None, 4, 4)])
@pytest.mark.parametrize("shape", [(8, 8, 8), (5, 7, 9), (4, 4, 5), (2, 3, 4)])
def test_results_are_those_of_adaptive_pooling(sides, shape):
    pool = nn.AdaptiveAvgPool3d(sides)
    features = torch.randn((2, 3, *shape), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(FixedPool(pool)(features), pool(features))


def test_bins_overlap_where_sides_do_not_divide():
    expected = [[0.5, 0.0], [0.5, 0.5], [0.0, 0.5]]
    assert pooling_matrix(3, 2).tolist() == expected


def test_layers_are_replaced_wherever_they_are():
    network = nn.Sequential(nn.ReLU(), nn.Sequential(nn.AdaptiveAvgPool3d(2)))
    features = torch.randn((1, 1, 4, 6, 8), generator=torch.Generator().manual_seed(0))
    expected = network(features)
    fix_pooling(network)
    assert isinstance(network[1][0], FixedPool)
    torch.testing.assert_close(network(features), expected)
