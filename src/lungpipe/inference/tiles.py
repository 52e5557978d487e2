"""Voxel probabilities of a whole volume, tile by tile, only where there is lung."""

from itertools import pairwise, product

import numpy as np
import torch
from numpy.typing import NDArray

from lungpipe.geometry import Window
from lungpipe.models import Hardware, Segmenter
from lungpipe.settings import SegmenterSettings
from lungpipe.volumes.hounsfield import scale_intensity
from lungpipe.volumes.store import AIR_HU


def predict_voxels(
    network: Segmenter,
    hu: NDArray[np.int16],
    region: NDArray[np.bool_],
    settings: SegmenterSettings,
    *,
    hardware: Hardware,
) -> NDArray[np.float32]:
    """Return nodule probabilities (zyx, float32); zero outside `region` (zyx mask) and where no tile was needed.

    Tiles overlap by `tile_overlap_vox` and only their cores are kept: half the overlap on each side is context that
    the network's padding would otherwise stand in for.
    """
    probability = np.zeros(hu.shape, dtype=np.float32)
    for core, window in cover(region, settings, network.total_stride):
        patch = window.cut(hu, fill=AIR_HU)
        scaled = scale_intensity(patch, settings.window_hu, settings.normalisation)
        with torch.inference_mode(), hardware.autocast():
            logits = network(torch.from_numpy(scaled)[None, None].to(hardware.device))
        values = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
        inner = tuple(
            slice(c.start - start, c.stop - start) for c, start in zip(core, window.start_zyx_vox, strict=True)
        )
        probability[core] = values[inner] * region[core]
    return probability


def cover(
    region: NDArray[np.bool_], settings: SegmenterSettings, stride: int
) -> list[tuple[tuple[slice, ...], Window]]:
    """Return (core slices, window to read) of every tile whose core meets the region.

    Cores partition the region's bounding box; sides are evened out, so that the last tile is no sliver. A side
    shorter than a tile takes the smallest multiple of the network's `stride` that covers it with its context.
    """
    if not region.any():
        return []
    halo = settings.tile_overlap_vox // 2
    axes, sides = [], []
    for axis in range(3):
        filled = np.flatnonzero(region.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = int(filled[0]), int(filled[-1]) + 1
        count = -(-(high - low) // (settings.tile_size_vox - 2 * halo))
        edges = np.linspace(low, high, count + 1).round().astype(int)
        axes.append([slice(int(a), int(b)) for a, b in pairwise(edges)])
        sides.append(min(settings.tile_size_vox, -(-(int(np.diff(edges).max()) + 2 * halo) // stride) * stride))
    shape = (sides[0], sides[1], sides[2])
    tiles = []
    for core in product(*axes):
        if region[core].any():
            z, y, x = ((c.start + c.stop - side) // 2 for c, side in zip(core, shape, strict=True))
            tiles.append((core, Window((z, y, x), shape)))
    return tiles
