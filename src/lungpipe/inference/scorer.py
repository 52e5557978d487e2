"""Score candidates with a trained scorer: nodule or not, and malignant or not."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lungpipe.geometry import window_around
from lungpipe.inference.folding import fold_batch_norm
from lungpipe.inference.maps import mean_logits
from lungpipe.models import Hardware
from lungpipe.models.model import Model
from lungpipe.settings.recipe import ScorerInference
from lungpipe.volumes.volume import Volume

Patch = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of N centres: the logit of being a nodule, and the probability of malignancy given a nodule."""

    nodule_logits: NDArray[np.float64]
    malignancy: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.nodule_logits)


class Scorer:
    """A trained scorer on its hardware."""

    def __init__(self, model: Model, inference: ScorerInference, hardware: Hardware) -> None:
        """Copy the model's networks for inference; the model is not changed."""
        self.card, self.inference, self.hardware = model.card, inference, hardware
        self.patch_size_vox = int(model.card.settings["sampling"]["patch_size_vox"])
        self.members = tuple(hardware.place(fold_batch_norm(member)) for member in model.members)

    def score(self, volume: Volume, centers_zyx_mm: ArrayLike) -> Scores:
        """Return the scores of world centres (N, 3) zyx mm of a volume, in their order."""
        return self.score_patches(self.cut(volume, centers_zyx_mm))

    def cut(self, volume: Volume, centers_zyx_mm: ArrayLike) -> Iterator[Patch]:
        """Yield the patch (int16 HU, zyx) whose middle is nearest to each world centre; air outside the volume."""
        side = self.patch_size_vox
        for index in volume.grid.to_index(np.reshape(centers_zyx_mm, (-1, 3))):
            yield volume.read_hu(window_around(index, (side, side, side)))

    def score_patches(self, patches: Iterable[Patch]) -> Scores:
        """Return the scores of patches, `patches_per_batch` at once; a thread reads the next batch at the same time."""
        logits = [np.zeros((2, 0))]
        logits += [self._logits(hu) for hu in _read_ahead(patches, self.inference.patches_per_batch)]
        nodule, malignancy = np.concatenate(logits, axis=1)
        return Scores(nodule, torch.from_numpy(malignancy).sigmoid().numpy())

    def _logits(self, hu_BCZYX: Tensor) -> NDArray[np.float64]:
        """Return the logits (2, B) of nodule and malignancy, the mean over members and flipped views."""
        count = len(hu_BCZYX)
        # oneDNN sums in another order for a single patch, so the score would depend on the batch size
        patches = hu_BCZYX if count > 1 else hu_BCZYX.expand(2, -1, -1, -1, -1)
        views = [mean_logits(self.members, v, self.hardware) for v in flipped_views(patches, self.inference.num_views)]
        heads = [torch.stack([view[head] for view in views]).mean(dim=0) for head in ("nodule", "malignancy")]
        return np.asarray(torch.stack(heads).cpu().numpy(), dtype=np.float64)[:, :count]


def flipped_views(patches_BCZYX: Tensor, num_views: int) -> Iterator[Tensor]:
    """Yield the patches flipped along `num_views` of the 8 combinations of axes: none first, then one, two, three."""
    for flips in sorted(product((False, True), repeat=3), key=sum)[:num_views]:
        yield torch.flip(patches_BCZYX, [axis + 2 for axis, is_flipped in enumerate(flips) if is_flipped])


def _read_ahead(patches: Iterable[Patch], size: int) -> Iterator[Tensor]:
    remaining = iter(patches)

    def read() -> Tensor | None:
        group = list(islice(remaining, size))
        return torch.from_numpy(np.stack(group)[:, None]) if group else None

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read)
        while (hu := coming.result()) is not None:
            coming = reader.submit(read)
            yield hu
