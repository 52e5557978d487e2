"""Small 2D CNN that scores the slices around a candidate: three convolutions with pooling, one dense layer."""

from itertools import pairwise

from torch import Tensor, nn

from lungpipe.models.batch_norm import BatchNorm3d
from lungpipe.models.intensity import Intensity
from lungpipe.models.slices import SliceHeads, cut_slices
from lungpipe.settings.recipe import SliceCnnSettings

POOLED_SIDE = 4
"""Side of the feature map before the dense layer; larger maps (8 for slices of 65 pixels) are averaged to it."""
IN_PLANE = (1, 2, 2)


class SliceCnn(nn.Module):
    """2D CNN on slices of a patch: HU (B, 1, Z, Y, X) to the logits and the localiser's outputs of `SliceHeads`.

    The kernels are 3D with a depth of one slice, so that slices do not see each other. Z, Y and X must be equal.
    """

    def __init__(self, settings: SliceCnnSettings) -> None:
        super().__init__()
        self.cut = (settings.num_planes, settings.slices_per_plane, settings.slice_step_vox)
        self.intensity = Intensity(settings)
        channels = (self.intensity.num_channels, *settings.channels)
        self.convolutions = nn.Sequential(*(_stage(a, b) for a, b in pairwise(channels)))
        self.pool = nn.AdaptiveAvgPool3d((None, POOLED_SIDE, POOLED_SIDE))
        self.dense = nn.Sequential(nn.Linear(channels[-1] * POOLED_SIDE**2, settings.hidden), nn.ReLU())
        self.dropout = nn.Dropout(settings.dropout)
        self.heads = SliceHeads(settings.hidden, settings.slices_per_plane, settings.aggregate)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return the logits and the localiser's outputs of each patch."""
        features = self.pool(self.convolutions(cut_slices(self.intensity(hu_BCZYX), *self.cut)))
        return self.heads(self.dropout(self.dense(features.transpose(1, 2).flatten(2))))


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1), bias=False),
        BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
        nn.MaxPool3d(IN_PLANE),
    )
