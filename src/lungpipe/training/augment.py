"""Random changes of training patches, computed on the training device for a whole batch."""

import math
from dataclasses import dataclass

from torch import Tensor

from lungpipe.sampling.batch import Batch, Spacing
from lungpipe.settings.recipe import AugmentationSettings
from lungpipe.training import change_hu, change_place


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPatches:
    """The input of a network and its objective: patches in HU, their findings, masks and labels, on one device.

    hu_BCZYX: float32 HU, one channel.
    findings_BK5: float32 z, y, x (mm from the centre of the patch's voxel array), diameter (mm), kind (0 padding,
        1 nodule, 2 excluded finding).
    mask_BZYX: uint8 0/1, the annotated mask of the patch's own nodule, or none.
    labels: float32 (B, ...) by name; NaN where unknown. weight_B: float32.
    """

    hu_BCZYX: Tensor
    findings_BK5: Tensor
    mask_BZYX: Tensor | None
    labels: dict[str, Tensor]
    weight_B: Tensor
    spacing_zyx_mm: Spacing

    def __len__(self) -> int:
        return len(self.weight_B)


def augment(batch: Batch, settings: AugmentationSettings, patch_size_vox: int) -> TrainingPatches:
    """Change a batch by its draws and return its patches of `patch_size_vox`; a pure function of the batch.

    In this order: symmetry, rotation and zoom about the centre (applied to findings and mask, too); blur; HU scale and
    shift; noise; cutout. Without rotation and zoom every voxel keeps its exact HU; with them the window is resampled
    linearly once, and its margin is wide enough that no patch voxel is read from outside.

    Raises:
        ValueError: windows without the margin that the settings need (see `margin_for`).
    """
    margin = margin_for(settings, patch_size_vox, batch.spacing_zyx_mm)
    _check_window(batch, patch_size_vox, margin)
    hu, mask, findings = change_place.move(batch, patch_size_vox)
    hu = change_hu.change(hu, batch.draws, settings)
    if "cutout_vox" in batch.draws:
        hu = change_hu.cut_out(hu, findings, batch.draws, batch.spacing_zyx_mm)
    return TrainingPatches(hu[:, None], findings, mask, batch.labels, batch.weight_B, batch.spacing_zyx_mm)


def centre_crop(batch: Batch, patch_size_vox: int) -> TrainingPatches:
    """Return the middle of every window, unchanged, for validation.

    Raises:
        ValueError: windows smaller than the patch, or that differ from it by an odd number of voxels.
    """
    _check_window(batch, patch_size_vox, 0)
    hu = change_place.crop(batch.hu_BZYX, patch_size_vox).float()
    mask = None if batch.mask_BZYX is None else change_place.crop(batch.mask_BZYX, patch_size_vox)
    return TrainingPatches(hu[:, None], batch.findings_BK5, mask, batch.labels, batch.weight_B, batch.spacing_zyx_mm)


def margin_for(settings: AugmentationSettings, patch_size_vox: int, spacing_zyx_mm: Spacing = (1.0, 1.0, 1.0)) -> int:
    """Return by how many voxels a window must be wider than its patch on each side, for rotation and zoom.

    A rotated corner of the patch reaches along an axis as far as its distance from the centre times the cosine of its
    remaining angle to that axis. A patch with zoom below 1 covers more of the window.
    """
    half_vox = (patch_size_vox - 1) / 2
    half_mm = [half_vox * size for size in spacing_zyx_mm]
    corner_mm = math.hypot(*half_mm)
    angle = math.radians(settings.rotation_deg)
    reaches_vox = [
        corner_mm * math.cos(max(math.acos(half / corner_mm) - angle, 0.0)) / size if corner_mm else 0.0
        for half, size in zip(half_mm, spacing_zyx_mm, strict=True)
    ]
    # 1e-6 against rounding: an unchanged patch reaches exactly half its side
    return max(math.ceil(max(reaches_vox) / (1.0 - settings.zoom) - half_vox - 1e-6), 0)


def _check_window(batch: Batch, patch_size_vox: int, margin_vox: int) -> None:
    window = batch.hu_BZYX.shape[-1]
    if window < patch_size_vox + 2 * margin_vox or (window - patch_size_vox) % 2:
        expected = f"patches of {patch_size_vox} voxels with a margin of at least {margin_vox} on each side"
        raise ValueError(f"batch: expected windows for {expected}, found {window} voxels")
