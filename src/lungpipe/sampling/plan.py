"""How batches are drawn and windows cut."""

from dataclasses import dataclass
from typing import Literal

from lungpipe.settings.recipe import AugmentationSettings


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """How batches are drawn and windows cut.

    A window is a patch and `margin_vox` on each side; the window's centre is up to `max_offset_vox` from the point
    along each axis. `nodule_fraction` of a batch (`batch_size` windows, over all processes) is drawn from the points
    inside nodules, in proportion to diameter ** -small_nodule_power; the others from all points, or (`rest="others"`)
    from points outside nodules. In a dataset of crops and whole scans `whole_scan_fraction` of a batch is drawn from
    the points of whole scans outside nodules. `hard_fraction` is drawn from false positives of the network itself, once
    `Feed.add_hard` was called with some. Process `rank` of `world_size` gets every world_size-th window. Without
    `augmentation` a batch has no draws. `cache_bytes` bounds the blocks that are kept in memory. `is_pinned` puts
    batches into page-locked memory, for CUDA. `is_shifted` shifts the windows of validation as those of training, by
    draws that depend on the rows alone.
    """

    patch_size_vox: int
    batch_size: int
    seed: int
    max_offset_vox: int = 0
    margin_vox: int = 0
    nodule_fraction: float = 0.5
    small_nodule_power: float = 0.0
    whole_scan_fraction: float = 0.0
    hard_fraction: float = 0.0
    rest: Literal["all", "others"] = "all"
    mask: Literal["sphere", "annotated"] = "sphere"
    augmentation: AugmentationSettings | None = None
    rank: int = 0
    world_size: int = 1
    cache_bytes: int = 2**31
    num_threads: int = 1
    is_pinned: bool = False
    is_shifted: bool = False

    @property
    def window_vox(self) -> int:
        """Side of a window, voxels."""
        return self.patch_size_vox + 2 * self.margin_vox

    @property
    def block_vox(self) -> int:
        """Side of the block kept around a point, voxels: a window and the largest offset on both sides."""
        return self.window_vox + 2 * self.max_offset_vox
