"""Measure a network on the validation patches."""

import torch
from torch import Tensor, nn

from lungpipe.models import Hardware, apply_network
from lungpipe.sampling.feed import Feed
from lungpipe.training.augment import centre_crop
from lungpipe.training.distributed import processes, sum_over_processes
from lungpipe.training.objective import Objective


@torch.inference_mode()
def validate(
    network: nn.Module, feed: Feed, objective: Objective, hardware: Hardware, *, sizes: tuple[int, int]
) -> dict[str, Tensor]:
    """Return the objective's totals over all points of the feed, on the device, without waiting for the device.

    `sizes` are patches per batch and the side of a patch (voxels). Several processes share the batches.
    """
    totals: dict[str, Tensor] = {}
    mine = processes()
    batch_size, patch_size_vox = sizes
    for index, batch in enumerate(feed.fixed_batches(batch_size)):
        is_mine = index % mine.world_size == mine.rank
        # each process measures the first batch, so that each has all names of totals
        if not is_mine and index > 0:
            continue
        patches = centre_crop(batch.to(hardware.device), patch_size_vox)
        with hardware.autocast():
            outputs = apply_network(network, patches.hu_BCZYX, patches.labels.get("diameter_mm"))
        for name, value in objective.measure(outputs, patches).items():
            counted = value if is_mine else torch.zeros_like(value)
            totals[name] = totals[name] + counted if name in totals else counted
    return {name: sum_over_processes(value) for name, value in totals.items()}


def fetch(figures: Tensor, totals: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return copies on the CPU (float64) of the figures and of all totals, in one transfer from the device."""
    tensors = [figures, *totals.values()]
    flat = torch.cat([tensor.double().flatten() for tensor in tensors]).cpu()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    copies = [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
    return copies[0], dict(zip(totals, copies[1:], strict=True))
