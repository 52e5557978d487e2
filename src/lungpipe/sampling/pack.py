"""Packed patches: a block around every nodule and around random lung, read once, so that training reads no volume."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.geometry import Grid, Window, sphere_mask, window_around
from lungpipe.settings import SegmenterSettings
from lungpipe.tables import CENTER_COLUMNS, replacing
from lungpipe.volumes.store import AIR_HU, StoredVolume, open_volume

BACKGROUND, NODULE, IGNORED = 0, 1, 2
"""Values of a target voxel; ignored voxels carry no loss (excluded findings: neither right nor wrong)."""


@dataclass(frozen=True, slots=True)
class PackedPatches:
    """Blocks (N, S, S, S) zyx: `hu` int16, `target` uint8; whether a block is around a nodule; its series."""

    hu: NDArray[np.int16]
    target: NDArray[np.uint8]
    has_nodule: NDArray[np.bool_]
    series_uid: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.has_nodule)

    def only(self, series_uids: Iterable[str]) -> "PackedPatches":
        """Return the blocks of the given series."""
        rows = np.isin(self.series_uid, list(series_uids))
        return PackedPatches(self.hu[rows], self.target[rows], self.has_nodule[rows], self.series_uid[rows])

    @classmethod
    def empty(cls, side: int) -> "PackedPatches":
        """Return no blocks of that side."""
        shape = (0, side, side, side)
        return cls(np.zeros(shape, np.int16), np.zeros(shape, np.uint8), np.zeros(0, bool), np.zeros(0, "U1"))

    @classmethod
    def join(cls, parts: Iterable["PackedPatches"]) -> "PackedPatches":
        """Return all blocks of several packs, in order."""
        parts = list(parts)
        return cls(
            np.concatenate([part.hu for part in parts]),
            np.concatenate([part.target for part in parts]),
            np.concatenate([part.has_nodule for part in parts]),
            np.concatenate([part.series_uid for part in parts]),
        )

    def save(self, path: Path) -> None:
        """Write as an npz, whole."""
        with replacing(path) as temporary:
            np.savez(temporary, hu=self.hu, target=self.target, has_nodule=self.has_nodule, series_uid=self.series_uid)

    @classmethod
    def load(cls, path: Path) -> "PackedPatches":
        """Read what `save` wrote; nothing is unpickled."""
        with np.load(path, allow_pickle=False) as content:
            return cls(content["hu"], content["target"], content["has_nodule"], content["series_uid"])


def pack_subset(
    stores: Mapping[str, Path],
    nodules: pd.DataFrame,
    exclusions: pd.DataFrame,
    settings: SegmenterSettings,
    *,
    seed: int,
) -> PackedPatches:
    """Cut the blocks of all series of a subset, in the order of their UIDs (see `pack_series`)."""
    parts = [
        pack_series(open_volume(path), nodules, exclusions, settings, seed=seed) for _, path in sorted(stores.items())
    ]
    return PackedPatches.join(parts) if parts else PackedPatches.empty(block_side(settings))


def block_side(settings: SegmenterSettings) -> int:
    """Return the side of a block, voxels: a patch and the largest offset on both sides."""
    return settings.patch_size_vox + 2 * settings.max_offset_vox


def pack_series(
    volume: StoredVolume, nodules: pd.DataFrame, exclusions: pd.DataFrame, settings: SegmenterSettings, *, seed: int
) -> PackedPatches:
    """Cut the blocks of one series: one around each nodule in the volume, and some around random lung voxels.

    A block is larger than a patch by the largest offset on each side: the patch is cut from it anew at every draw,
    so a nodule is never learned by its place. The tables may hold other series too.
    """
    side = block_side(settings)
    own = nodules[nodules["series_uid"] == volume.series_uid]
    others = exclusions[exclusions["series_uid"] == volume.series_uid]
    # a seed of its own for each series: a scan that is added or mended changes no other scan's blocks
    rng = np.random.default_rng([seed, zlib.crc32(volume.series_uid.encode())])
    lungs = np.argwhere(volume.read_lungs() > 0)
    centers = own[list(CENTER_COLUMNS)].to_numpy()
    # a centre outside the volume would teach that air is a nodule
    places = volume.grid.to_index(centers[volume.grid.contains(centers)])
    num_nodules = len(places)
    if len(lungs):
        places = np.concatenate([places, rng.choice(lungs, size=settings.negatives_per_scan)])
    windows = [window_around(place, (side, side, side)) for place in places]
    if not windows:
        return PackedPatches.empty(side)
    hu = volume.read_hu()
    return PackedPatches(
        hu=np.stack([w.cut(hu, fill=AIR_HU) for w in windows]),
        target=np.stack([paint_target(volume.grid, w, own, others) for w in windows]),
        has_nodule=np.arange(len(places)) < num_nodules,
        series_uid=np.full(len(places), volume.series_uid),
    )


def paint_target(grid: Grid, window: Window, nodules: pd.DataFrame, exclusions: pd.DataFrame) -> NDArray[np.uint8]:
    """Return the window's target: spheres of the annotated diameter, nodules over exclusions."""
    part = Grid(window.shape_zyx, grid.spacing_zyx_mm, _triple(grid.to_world(window.start_zyx_vox)), grid.direction_zyx)
    target = np.full(window.shape_zyx, BACKGROUND, dtype=np.uint8)
    for findings, value in ((exclusions, IGNORED), (nodules, NODULE)):
        for center, diameter in _spheres(findings):
            target[sphere_mask(part, center, diameter)] = value
    return target


def _spheres(findings: pd.DataFrame) -> Iterable[tuple[NDArray[np.float64], float]]:
    return zip(findings[list(CENTER_COLUMNS)].to_numpy(), findings["diameter_mm"].to_numpy(), strict=True)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
