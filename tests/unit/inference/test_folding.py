"""Folding changes rounding, and nothing else."""

import pytest
import torch

from lungpipe.inference.folding import fold_batch_norm
from lungpipe.inference.maps import mean_logits


def patches(side=24):
    return torch.randint(
        -1000, 400, (2, 1, side, side, side), dtype=torch.int16, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("kind", ["unet", "center_net", "scorer"])
def test_a_folded_network_computes_the_same_without_batch_norm(cpu, models, kind):
    [member] = getattr(models, kind)().members
    folded = fold_batch_norm(member)
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    one, other = mean_logits([member], patches(), cpu), mean_logits([folded], patches(), cpu)
    for head, values in one.items():
        torch.testing.assert_close(other[head], values, atol=2e-5, rtol=1e-4)


def test_the_network_itself_stays_as_it_was(models):
    [member] = models.unet().members
    before = {name: tensor.clone() for name, tensor in member.state_dict().items()}
    fold_batch_norm(member.train())
    assert member.training
    assert before.keys() == member.state_dict().keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in member.state_dict().items())
