"""3D ResNet that scores a candidate: nodule or not, and how readers would rate the nodule's nine characteristics."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungpipe.models.blocks import ResidualBlock, pool_with_middle
from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import RatingNetSettings
from lungpipe.tables import CHARACTERISTICS, MAX_RATING

MIDDLE_RATING = 3.0
REFERENCE_MM = 10.0
"""The diameter enters as log(diameter / 10 mm)."""
UNKNOWN_SHARE = 0.1
"""Share of the training patches whose diameter is withheld, so that the network also works without a diameter."""
IMPOSSIBLE = -1e4
"""Logit of ratings that a characteristic's scale does not have."""


class RatingNet(nn.Module):
    """3D ResNet: HU (B, 1, Z, Y, X) and diameters (B,) in mm (NaN: unknown) to logits by head.

    nodule (B,). ratings (B, 9, 6): distribution over the readers' ratings 1 to 6 of the nine CHARACTERISTICS, given a
    nodule. malignancy (B,): a trained logistic function of the expected malignancy rating, so that the label is learned
    through the ratings.

    With `num_scales` 2 the first layer sees the middle half of the patch and, as further channels, the whole patch at
    half the resolution: twice the field of view at the price of the smaller patch. The diameter goes to the ratings
    alone: a candidate without a nodule has none, and would be recognised by that.
    """

    ratings_mask: Tensor

    def __init__(self, settings: RatingNetSettings) -> None:
        super().__init__()
        self.intensity = Intensity(settings)
        self.num_scales, self.takes_diameter = settings.num_scales, settings.has_diameter
        self.diameter_jitter = settings.diameter_jitter
        channels = (settings.num_scales * self.intensity.num_channels, *settings.channels)
        self.stages = nn.Sequential(*(ResidualBlock(a, b, stride=2) for a, b in pairwise(channels)))
        self.dropout = nn.Dropout(settings.dropout)
        self.nodule = nn.Linear(2 * channels[-1], 1)
        self.ratings = nn.Linear(2 * channels[-1] + 2 * settings.has_diameter, len(CHARACTERISTICS) * MAX_RATING)
        self.slope = nn.Parameter(torch.tensor(1.0))
        self.shift = nn.Parameter(torch.tensor(0.0))
        highest = torch.tensor(list(CHARACTERISTICS.values()))[:, None]
        mask = torch.where(torch.arange(MAX_RATING) < highest, 0.0, IMPOSSIBLE)
        self.register_buffer("ratings_mask", mask, persistent=False)

    def forward(self, hu_BCZYX: Tensor, diameter_mm_B: Tensor | None = None) -> dict[str, Tensor]:
        """Return the logits of all heads; raises ValueError for a side that two scales cannot share."""
        features = self.stages(self._scales(self.intensity(hu_BCZYX)))
        pooled = self.dropout(pool_with_middle(features))
        seen = torch.cat([pooled, self._size(diameter_mm_B, pooled)], dim=1) if self.takes_diameter else pooled
        ratings = self.ratings(seen).float().view(-1, len(CHARACTERISTICS), MAX_RATING) + self.ratings_mask
        malignancy = self.slope * (expected_ratings(ratings)[:, 0] - MIDDLE_RATING) + self.shift
        return {"nodule": self.nodule(pooled)[:, 0], "malignancy": malignancy, "ratings": ratings}

    def _scales(self, intensity_BCZYX: Tensor) -> Tensor:
        if self.num_scales == 1:
            return intensity_BCZYX
        sides = intensity_BCZYX.shape[2:]
        if any(side % 4 for side in sides):
            raise ValueError(f"rating_net: expected sides (zyx) divisible by 4 for two scales, found {tuple(sides)}")
        z, y, x = (slice(side // 4, side // 4 + side // 2) for side in sides)
        middle = intensity_BCZYX[..., z, y, x]
        return torch.cat([middle, functional.avg_pool3d(intensity_BCZYX, 2)], dim=1)

    def _size(self, diameter_mm_B: Tensor | None, like: Tensor) -> Tensor:
        """Return (B, 2): the logarithm of the diameter, 0 if unknown, and whether the diameter is known."""
        if diameter_mm_B is None:
            return like.new_zeros((len(like), 2))
        is_known = (diameter_mm_B > 0).float()
        logs = torch.log(torch.where(diameter_mm_B > 0, diameter_mm_B, REFERENCE_MM) / REFERENCE_MM)
        if self.training:
            is_known = is_known * (torch.rand_like(is_known) >= UNKNOWN_SHARE)
            logs = logs + self.diameter_jitter * torch.randn_like(logs)
        return torch.stack([logs * is_known, is_known], dim=1).to(like.dtype)


def expected_ratings(ratings_B96: Tensor) -> Tensor:
    """Return the expected rating (B, 9) of logits of the ratings 1 to 6."""
    values = torch.arange(1, MAX_RATING + 1, dtype=torch.float32, device=ratings_B96.device)
    return (ratings_B96.float().softmax(dim=-1) * values).sum(dim=-1)
