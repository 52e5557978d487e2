"""The first layer of every network: HU to scaled intensities, one channel per window."""

import math

import torch
from torch import Tensor, nn

from lungpipe.settings.recipe import NetworkSettings, Normalisation

UNIFORM_MEAN, UNIFORM_STD = 0.5, 1.0 / math.sqrt(12.0)
"""Mean and standard deviation of the uniform distribution on [0, 1]; fixed, so they depend on no scan."""


class Intensity(nn.Module):
    """Clip HU to each window and scale them: (B, 1, Z, Y, X) of any real dtype to float32 (B, windows, Z, Y, X).

    `zero_one`: the window becomes [0, 1]. `byte`: whole numbers 0 to 255 (their gradient is 0). `zero_centre`: [0, 1]
    less the mean 1/2, by the standard deviation 1/sqrt(12), so that the window becomes [-sqrt(3), sqrt(3)].
    """

    low_hu: Tensor
    high_hu: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.normalisation: Normalisation = settings.normalisation
        shape = (1, len(settings.windows_hu), 1, 1, 1)
        for name, ends in zip(("low_hu", "high_hu"), zip(*settings.windows_hu, strict=True), strict=True):
            # not stored with the weights: the card's settings have the windows
            self.register_buffer(name, torch.tensor(ends, dtype=torch.float32).reshape(shape), persistent=False)

    @property
    def num_channels(self) -> int:
        """Number of windows, which is the number of channels of the output."""
        return int(self.low_hu.shape[1])

    def forward(self, hu_BCZYX: Tensor) -> Tensor:
        """Return float32 intensities; raises ValueError for HU of another shape than (B, 1, Z, Y, X)."""
        if hu_BCZYX.dim() != 5 or hu_BCZYX.shape[1] != 1:
            raise ValueError(f"network: expected HU of the shape (B, 1, Z, Y, X), found {tuple(hu_BCZYX.shape)}")
        clipped = torch.clamp(hu_BCZYX.float(), self.low_hu, self.high_hu)
        # in place: two more arrays of a large batch would cost more than their values, in pages that the system clears
        unit = clipped.sub_(self.low_hu).mul_(1.0 / (self.high_hu - self.low_hu))
        if self.normalisation == "zero_centre":
            return (unit - UNIFORM_MEAN) / UNIFORM_STD
        return torch.round(unit * 255.0) if self.normalisation == "byte" else unit
