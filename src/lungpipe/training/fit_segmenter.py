"""Train the segmenter of one fold from packed patches."""

import numpy as np
import torch
from torch import Tensor

from lungpipe.models import Hardware, Segmenter
from lungpipe.sampling import PackedPatches, draw_patches, middle_patches, nodule_shares
from lungpipe.settings import SegmenterSettings
from lungpipe.training.loop import Fit, Log, fit
from lungpipe.training.losses import dice_parts, segmentation_loss

CHECK_BATCH = 8


class SegmentationTask:
    """Draws patches of the training series; validates on the middle patches of the validation series."""

    def __init__(
        self,
        network: Segmenter,
        packs: tuple[PackedPatches, PackedPatches],
        settings: SegmenterSettings,
        hardware: Hardware,
        *,
        seed: int,
    ) -> None:
        self.network, self.settings, self.hardware = network, settings, hardware
        self.training, validation = packs
        self.shares = nodule_shares(self.training)
        self.check_patches, self.check_targets = middle_patches(validation, settings)
        self.rng = np.random.default_rng([seed, 1])

    def loss(self) -> Tensor:
        """Return the loss of one drawn batch."""
        patches, targets = draw_patches(self.training, self.shares, self.settings, self.rng)
        with self.hardware.autocast():
            logits = self.network(self._to_device(patches)[:, None])
        return segmentation_loss(logits, self._to_device(targets))

    @torch.inference_mode()
    def check(self) -> dict[str, float]:
        """Return validation Dice (also the score) over all middle patches, and their loss."""
        doubled, total, losses = 0.0, 0.0, []
        for first in range(0, len(self.check_patches), CHECK_BATCH):
            rows = slice(first, first + CHECK_BATCH)
            targets = self._to_device(self.check_targets[rows])
            with self.hardware.autocast():
                logits = self.network(self._to_device(self.check_patches[rows])[:, None])
            overlap, size = dice_parts(logits, targets)
            doubled, total = doubled + overlap, total + size
            losses.append(float(segmentation_loss(logits, targets)))
        dice = doubled / total if total else 0.0
        loss = float(np.mean(losses))
        # Dice at 0.5 is zero for a network that is still timid; the loss orders such checks
        return {"score": dice - 1e-3 * loss, "validation_dice": dice, "validation_loss": loss}

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.hardware.device)


def fit_segmenter(
    packs: tuple[PackedPatches, PackedPatches],
    settings: SegmenterSettings,
    hardware: Hardware,
    *,
    seed: int,
    log: Log,
) -> tuple[Segmenter, Fit]:
    """Train a new segmenter on `packs` = (training, validation); same seed, machine and threads: same bytes.

    Raises:
        ValueError: a pack without blocks, or a training pack without a nodule.
    """
    for name, pack in zip(("training", "validation"), packs, strict=True):
        if len(pack) == 0:
            raise ValueError(f"segmenter: expected packed patches for {name}, found none")
    if not packs[0].has_nodule.any():
        raise ValueError("segmenter: expected nodules in the training subsets, found none")
    torch.manual_seed(seed)
    network = Segmenter(settings)
    if settings.patch_size_vox % network.total_stride or settings.tile_size_vox % network.total_stride:
        raise ValueError(
            f"segmenter: expected patch and tile sizes divisible by the network's stride {network.total_stride}, "
            f"found {settings.patch_size_vox} and {settings.tile_size_vox}"
        )
    task = SegmentationTask(network, packs, settings, hardware, seed=seed)
    return network, fit(network, task, settings.training, hardware=hardware, log=log)
