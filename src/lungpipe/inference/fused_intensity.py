"""HU to intensities, without the passes over memory that tensors as limits would take."""

import torch
from torch import Tensor, nn

from lungpipe.models.intensity import UNIFORM_MEAN, UNIFORM_STD, Intensity


class FusedIntensity(nn.Module):
    """The same intensities as `Intensity`, window by window."""

    def __init__(self, intensity: Intensity) -> None:
        super().__init__()
        limits = zip(intensity.low_hu.flatten().tolist(), intensity.high_hu.flatten().tolist(), strict=True)
        self.windows_hu, self.normalisation = list(limits), intensity.normalisation

    def forward(self, hu_BCZYX: Tensor) -> Tensor:
        """Return float32 (B, windows, Z, Y, X) for HU (B, 1, Z, Y, X)."""
        channels = [self._scale(hu_BCZYX, low_hu, high_hu) for low_hu, high_hu in self.windows_hu]
        return channels[0] if len(channels) == 1 else torch.cat(channels, dim=1)

    def _scale(self, hu: Tensor, low_hu: float, high_hu: float) -> Tensor:
        unit = hu.clamp(low_hu, high_hu).to(torch.float32, copy=True).sub_(low_hu).mul_(1.0 / (high_hu - low_hu))
        if self.normalisation == "zero_centre":
            return unit.sub_(UNIFORM_MEAN).div_(UNIFORM_STD)
        return unit.mul_(255.0).round_() if self.normalisation == "byte" else unit
