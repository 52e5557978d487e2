"""The outputs of a detector's network over a whole search region, computed tile by tile."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungpipe.inference.tiles import Box, Tile, box_around, lay_tiles
from lungpipe.models import Hardware, apply_network
from lungpipe.settings.recipe import DetectorInference
from lungpipe.volumes.volume import Volume

FILL = {"mask": -np.inf, "heatmap": -np.inf}
"""Value of these heads' maps outside computed tiles; other heads have 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Logits by head, float32 (channels, z, y, x), over `box` (zyx voxels of the volume).

    A head of stride s has one element for s^3 voxels. A mask of stride s has s^3 channels, one for each of these voxels
    (see `voxel_shuffle`): `read_mask` gives its voxels. Logits are the mean over the members of an ensemble.
    """

    box: Box
    heads: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def start_zyx_vox(self) -> tuple[int, int, int]:
        """First voxel of the box."""
        z, y, x = (side.start for side in self.box)
        return (z, y, x)

    def stride(self, head: str) -> int:
        """Return the voxels per element of a head along each axis."""
        return int((self.box[0].stop - self.box[0].start) // self.heads[head].shape[1])

    def read_mask(self, box: Box) -> NDArray[np.float32]:
        """Return the mask's logits (zyx) in a box of voxels of the volume that is inside the box of the maps."""
        stride = self.stride("mask")
        local = [slice(b.start - side.start, b.stop - side.start) for b, side in zip(box, self.box, strict=True)]
        z, y, x = (slice(b.start // stride, -(-b.stop // stride)) for b in local)
        folded = self.heads["mask"][:, z, y, x]
        depth, height, width = folded.shape[1:]
        split = folded.reshape(stride, stride, stride, depth, height, width).transpose(3, 0, 4, 1, 5, 2)
        whole = split.reshape(depth * stride, height * stride, width * stride)
        first = [side.start % stride for side in local]
        return whole[tuple(slice(a, a + b.stop - b.start) for a, b in zip(first, local, strict=True))]

    def cut(self, region: NDArray[np.bool_], stride: int) -> NDArray[np.bool_]:
        """Return which cubes of `stride` voxels in the box have any voxel of the region (mask of the volume, zyx)."""
        inside = region[self.box]
        padded = np.zeros([side.stop - side.start for side in self.box], dtype=bool)
        padded[tuple(slice(0, size) for size in inside.shape)] = inside
        z, y, x = (size // stride for size in padded.shape)
        return np.asarray(padded.reshape(z, stride, y, stride, x, stride).any(axis=(1, 3, 5)))


def predict_maps(
    members: Sequence[nn.Module],
    volume: Volume,
    region: NDArray[np.bool_],
    inference: DetectorInference,
    *,
    hardware: Hardware,
    heads: frozenset[str] | None = None,
) -> Maps | None:
    """Compute the heads (default: all) of the networks over the search region (mask, zyx); None for an empty region.

    Tiles cover the region (see `lay_tiles`). Up to `tiles_per_batch` tiles of one shape are computed at once; a thread
    reads the next batch at the same time. Memory: the maps over the region's box, and two batches of tiles. On the CPU
    tiles are computed one by one: a batch is not faster there, and oneDNN would sum in another order.
    """
    stride = _total_stride(members)
    box = box_around(region, stride)
    if box is None:
        return None
    maps = Maps(box)
    size = 1 if hardware.device.type == "cpu" else inference.tiles_per_batch
    for group, hu in _read_ahead(volume, _batches(lay_tiles(region, inference, stride), size)):
        for head, values in mean_logits(members, hu, hardware).items():
            if heads is None or head in heads:
                _store(maps, head, group, values)
    return maps


@torch.inference_mode()
def mean_logits(
    members: Sequence[nn.Module], hu_BCZYX: Tensor, hardware: Hardware, diameter_mm_B: Tensor | None = None
) -> dict[str, Tensor]:
    """Return every head's logits (float32) for HU on the CPU, averaged over the members.

    Diameters (mm, float32; NaN: unknown) are used by networks that take them.
    """
    hu = hu_BCZYX.to(hardware.device, memory_format=hardware.memory_format)
    diameters = None if diameter_mm_B is None else diameter_mm_B.to(hardware.device)
    outputs: list[Mapping[str, Tensor]] = []
    for member in members:
        with hardware.autocast():
            outputs.append(apply_network(member, hu, diameters))
    if len(outputs) == 1:
        return {head: values.float() for head, values in outputs[0].items()}
    return {head: torch.stack([output[head].float() for output in outputs]).mean(dim=0) for head in outputs[0]}


def _batches(tiles: Sequence[Tile], size: int) -> list[tuple[Tile, ...]]:
    """Return batches of at most `size` tiles of one shape."""
    ordered = sorted(tiles, key=lambda tile: tile.window.shape_zyx)
    shapes = (tuple(group) for _, group in groupby(ordered, key=lambda tile: tile.window.shape_zyx))
    return [group[first : first + size] for group in shapes for first in range(0, len(group), size)]


def _read_ahead(volume: Volume, groups: Sequence[tuple[Tile, ...]]) -> Iterator[tuple[tuple[Tile, ...], Tensor]]:
    def read(group: tuple[Tile, ...]) -> Tensor:
        return torch.from_numpy(np.stack([volume.read_hu(tile.window) for tile in group])[:, None])

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, groups[0])
        for place, group in enumerate(groups):
            hu = coming.result()
            if place + 1 < len(groups):
                coming = reader.submit(read, groups[place + 1])
            yield group, hu


def _store(maps: Maps, head: str, group: Sequence[Tile], values_BCZYX: Tensor) -> None:
    stride = group[0].window.shape_zyx[0] // values_BCZYX.shape[2]
    if head not in maps.heads:
        shape = [(side.stop - side.start) // stride for side in maps.box]
        # channels last in memory, as the network's output: copied in a quarter of the time
        filled = np.full((*shape, values_BCZYX.shape[1]), FILL.get(head, 0.0), dtype=np.float32)
        maps.heads[head] = np.moveaxis(filled, -1, 0)
    for tile, value in zip(group, values_BCZYX.cpu().numpy(), strict=True):
        kept = _elements(tile.core, maps.start_zyx_vox, stride)
        maps.heads[head][kept] = value[_elements(tile.core, tile.window.start_zyx_vox, stride)]


def _elements(core: Box, start_zyx_vox: tuple[int, int, int], stride: int) -> tuple[slice, ...]:
    """Return the elements (channels, z, y, x) of a core in an array that starts at a voxel."""
    pairs = zip(core, start_zyx_vox, strict=True)
    return (slice(None), *(slice((side.start - s) // stride, (side.stop - s) // stride) for side, s in pairs))


def _total_stride(members: Sequence[nn.Module]) -> int:
    return max(cast("int", member.total_stride) for member in members)
