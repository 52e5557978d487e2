"""Draw patches from packed blocks: at random offsets for training, from the middle for validation."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.sampling.augment import augment
from lungpipe.sampling.pack import NODULE, PackedPatches
from lungpipe.settings import SegmenterSettings
from lungpipe.volumes.hounsfield import scale_intensity

Batch = tuple[NDArray[np.float32], NDArray[np.uint8]]


def nodule_shares(packed: PackedPatches) -> NDArray[np.float64]:
    """Return how often each block around a nodule is drawn, in their order; the shares sum to 1.

    Inverse to the diameter: small nodules are the harder ones, and a third of LUNA16's are below 6 mm.
    """
    volume_vox = (packed.target[packed.has_nodule] == NODULE).sum(axis=(1, 2, 3))
    share = 1.0 / np.cbrt(np.maximum(volume_vox, 1.0))
    return np.asarray(share / share.sum())


def draw_patches(
    packed: PackedPatches, shares: NDArray[np.float64], settings: SegmenterSettings, rng: np.random.Generator
) -> Batch:
    """Draw one augmented batch: patches (B, P, P, P) float32 scaled, targets (B, P, P, P) uint8.

    `positive_fraction` of the patches come from blocks around nodules, each by its share (`nodule_shares`), the others
    from any block.
    """
    size, slack = settings.patch_size_vox, packed.hu.shape[1] - settings.patch_size_vox
    around_nodules = np.flatnonzero(packed.has_nodule)
    num_positive = round(settings.positive_fraction * settings.training.batch_size) if len(around_nodules) else 0
    rows = np.concatenate(
        [
            rng.choice(around_nodules, num_positive, p=shares) if num_positive else around_nodules[:0],
            rng.integers(0, len(packed), settings.training.batch_size - num_positive),
        ]
    )
    starts = rng.integers(0, slack + 1, (len(rows), 3))
    patches, targets = _cut(packed, rows, starts, size)
    scaled = scale_intensity(patches, settings.window_hu, settings.normalisation)
    augmented, turned = augment(scaled, targets, rng, normalisation=settings.normalisation)
    return augmented, turned if turned is not None else targets


def middle_patches(packed: PackedPatches, settings: SegmenterSettings) -> Batch:
    """Return the middle patch of every block, not augmented: what validation looks at, the same at every check."""
    start = (packed.hu.shape[1] - settings.patch_size_vox) // 2
    rows = np.arange(len(packed))
    patches, targets = _cut(packed, rows, np.full((len(packed), 3), start), settings.patch_size_vox)
    return scale_intensity(patches, settings.window_hu, settings.normalisation), targets


def _cut(
    packed: PackedPatches, rows: NDArray[np.intp], starts: NDArray[np.intp], size: int
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    boxes = [(row, *(slice(a, a + size) for a in start)) for row, start in zip(rows, starts, strict=True)]
    shape = (len(boxes), size, size, size)
    patches, targets = np.empty(shape, np.int16), np.empty(shape, np.uint8)
    for out, box in enumerate(boxes):
        patches[out], targets[out] = packed.hu[box], packed.target[box]
    return patches, targets
