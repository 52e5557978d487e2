"""What the 2D networks share: slices cut from a patch, and slice logits that become those of a candidate."""

from typing import Literal

import torch
from torch import Tensor, nn

PLACE_UNIT_VOX = 10.0
"""The localiser's outputs are of the order of 1: a place is this many voxels for each unit."""
NUM_OUTPUTS = 5
"""Outputs for each slice: nodule, malignancy, y, x, log diameter."""


def cut_slices(
    intensity_BCZYX: Tensor, num_planes: Literal[1, 3], slices_per_plane: int, slice_step_vox: int
) -> Tensor:
    """Return the slices around the middle of a cubic patch, (B, C, S, side, side), axial slices first.

    Coronal slices have the axes (z, x), sagittal slices (z, y). Of an even side the middle is the voxel before.
    """
    middle, reach = (intensity_BCZYX.shape[2] - 1) // 2, slices_per_plane // 2 * slice_step_vox
    chosen = slice(middle - reach, middle + reach + 1, slice_step_vox)
    axial = intensity_BCZYX[:, :, chosen]
    if num_planes == 1:
        return axial
    coronal = intensity_BCZYX[:, :, :, chosen].transpose(2, 3)
    sagittal = intensity_BCZYX[..., chosen].movedim(4, 2)
    return torch.cat([axial, coronal, sagittal], dim=2)


class SliceHeads(nn.Module):
    """Dense layer from the features of each slice to the logits of a candidate and to its place and diameter."""

    def __init__(self, num_features: int, slices_per_plane: int, aggregate: Literal["mean", "maximum"]) -> None:
        super().__init__()
        self.slices_per_plane, self.aggregate = slices_per_plane, aggregate
        self.dense = nn.Linear(num_features, NUM_OUTPUTS)

    def forward(self, features_BSF: Tensor) -> dict[str, Tensor]:
        """Map (B, slices, features) to `nodule` and `malignancy` (B,), `place` (B, 2) and `diameter` (B,).

        `place` is y, x of the nodule from the middle of the patch, voxels; `diameter` is log(mm / 10). Both are means
        over the axial slices, whose axes are y and x. The logits of all slices are aggregated.
        """
        outputs = self.dense(features_BSF)
        logits = outputs[..., :2]
        scores = logits.mean(dim=1) if self.aggregate == "mean" else logits.amax(dim=1)
        located = outputs[:, : self.slices_per_plane, 2:].mean(dim=1)
        return {
            "nodule": scores[:, 0],
            "malignancy": scores[:, 1],
            "place": PLACE_UNIT_VOX * located[:, :2],
            "diameter": located[:, 2],
        }
