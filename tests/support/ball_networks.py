"""Tiny scorers that learn within seconds whether a patch holds a ball, and patches to ask them about."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lungpipe.models import apply_network, build_network
from lungpipe.settings.recipe import Cnn3dSettings, RatingNetSettings, ResNetSettings
from lungpipe.settings.recipe.slice_networks import SliceCnnSettings

KINDS = {
    "cnn3d": (Cnn3dSettings(channels=(4, 8, 8), hidden=(16, 8), dropout=0.0), 24),
    "resnet": (ResNetSettings(channels=(8, 8), dropout=0.0), 24),
    "rating_net": (RatingNetSettings(channels=(8, 8), dropout=0.0, num_scales=2), 40),
    "slice_cnn": (SliceCnnSettings(channels=(4, 8, 8), hidden=16, dropout=0.0, num_planes=3, slices_per_plane=3), 25),
}
"""Settings and side of the patch (voxels) of each kind of scorer."""
RADIUS_VOX = 3.0


def ball_patch(side: int, center_zyx, rng: np.random.Generator) -> np.ndarray:
    """HU (zyx) of noisy lung with a ball of tissue, or without one for None."""
    hu = rng.normal(-850, 60, (side,) * 3)
    if center_zyx is not None:
        distance = np.linalg.norm(np.stack(np.indices(hu.shape), axis=-1) - np.asarray(center_zyx), axis=-1)
        hu[distance < RADIUS_VOX] += 850
    return hu.astype(np.float32)


def ball_centers(side: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random centres near the middle of the patch, where the networks look."""
    return (side - 1) / 2 + rng.uniform(-2, 2, (count, 3))


def train_on_balls(kind: str, *, num_steps: int = 60, batch: int = 12, seed: int = 0) -> nn.Module:
    """A network of a kind in evaluation mode that tells patches with a ball from patches without one."""
    settings, side = KINDS[kind]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = build_network(settings).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(num_steps):
        centers = ball_centers(side, batch // 2, rng)
        hu = np.stack([ball_patch(side, center, rng) for center in [*centers, *[None] * (batch // 2)]])
        target = torch.tensor([1.0] * (batch // 2) + [0.0] * (batch // 2))
        heads = apply_network(network, torch.from_numpy(hu)[:, None], None)
        loss = sum(
            functional.binary_cross_entropy_with_logits(heads[name], target) for name in ("nodule", "malignancy")
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # the statistics of batch normalisation follow the last weights
    with torch.no_grad():
        for _ in range(20):
            apply_network(network, torch.from_numpy(hu)[:, None], None)
    return network.eval()
