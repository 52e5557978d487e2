"""3D U-Net: one nodule logit per voxel; the stem may stride, and the mask is shuffled back to full resolution."""

from torch import Tensor, nn

from lungpipe.models.blocks import PRIOR_LOGIT, check_sides, stem, voxel_shuffle
from lungpipe.models.intensity import Intensity
from lungpipe.models.trunk import Trunk
from lungpipe.settings.recipe import UNetSettings


class UNet(nn.Module):
    """3D U-Net: HU (B, 1, Z, Y, X) to `mask`, nodule logits (B, 1, Z, Y, X).

    Z, Y and X must be multiples of the settings' `total_stride`. With `stem_stride` 2 the whole network runs on an
    eighth of the voxels.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.total_stride, self.stem_stride = settings.total_stride, settings.stem_stride
        channels, is_residual = settings.channels, settings.is_residual
        self.intensity = Intensity(settings)
        first = stem(self.intensity.num_channels, channels[0], is_residual=is_residual, stride=self.stem_stride)
        self.trunk = Trunk(first, channels, is_residual=is_residual)
        self.head = nn.Conv3d(channels[0], self.stem_stride**3, 1)
        nn.init.constant_(self.head.bias, PRIOR_LOGIT)  # type: ignore[arg-type]

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return the mask's logits; raises ValueError for sides that are no multiples of `total_stride`."""
        check_sides(hu_BCZYX, self.total_stride, "U-Net")
        features = self.trunk(self.intensity(hu_BCZYX))
        return {"mask": voxel_shuffle(self.head(features), self.stem_stride)}
