"""Score candidates with a trained scorer: nodule or not, malignant or not, and the readers' nine ratings."""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lungpipe.candidates.measures import measure_candidate
from lungpipe.geometry import window_around
from lungpipe.inference.folding import fold_batch_norm
from lungpipe.inference.maps import mean_logits
from lungpipe.inference.views import NUM_FLIPS, patch_views
from lungpipe.models import Hardware
from lungpipe.models.card import MALIGNANCY_INTERCEPT, MALIGNANCY_MEASURED, MALIGNANCY_SLOPE, ModelCard
from lungpipe.models.measured import NETWORK_SHARE
from lungpipe.models.model import Model
from lungpipe.settings.recipe import ScorerInference
from lungpipe.tables import CHARACTERISTICS, MAX_RATING
from lungpipe.volumes.volume import Volume

Patch = NDArray[np.int16]
FloatArray = NDArray[np.float64]
LEAST_PROBABLE = -4.6
"""Logit of a nodule (probability 0.01) below which a detected candidate is not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a scorer needs of a candidate.

    hu: int16 HU (zyx) of its patch. diameter_mm: NaN if unknown. measure: returns the logit of malignancy by measures
    of HU and shape; None for an unknown diameter, or a scorer without measures.
    """

    hu: Patch
    diameter_mm: float = float("nan")
    measure: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of N centres: the logit of being a nodule, and the calibrated probability of malignancy given a nodule.

    `ratings` (N, 9, 6) are the probabilities of the readers' ratings 1 to 6 of the nine CHARACTERISTICS, given a
    nodule; None for a network that does not rate. `measured_logits` (N,) are those of malignancy by measures
    alone, NaN where nothing was measured; None stands for nowhere.
    """

    nodule_logits: FloatArray
    malignancy: FloatArray
    ratings: FloatArray | None = None
    measured_logits: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.nodule_logits)

    @property
    def expected_ratings(self) -> FloatArray | None:
        """Expected rating (N, 9) of each characteristic, 1 to 5 (calcification: 6); None without ratings."""
        return None if self.ratings is None else self.ratings @ np.arange(1.0, MAX_RATING + 1)


class Scorer:
    """A trained scorer on its hardware."""

    def __init__(self, model: Model, inference: ScorerInference, hardware: Hardware) -> None:
        """Copy the model's networks for inference; the model is not changed.

        Raises:
            ValueError: more views than flips for voxels that are no cubes.
        """
        self.card, self.inference, self.hardware = model.card, inference, hardware
        self.patch_size_vox = int(model.card.settings["sampling"]["patch_size_vox"])
        self.members = tuple(hardware.place(fold_batch_norm(member)) for member in model.members)
        most = max(inference.num_views, inference.num_small_views or 1)
        if most > NUM_FLIPS and len(set(self.card.spacing_zyx_mm)) > 1:
            found = f"{most} for a spacing of {self.card.spacing_zyx_mm} mm (zyx)"
            expected = f"at most {NUM_FLIPS} where voxels are no cubes"
            raise ValueError(f"inference.num_views: expected {expected}, found {found}")

    def score(
        self,
        volume: Volume,
        centers_zyx_mm: ArrayLike,
        diameters_mm: ArrayLike | None = None,
        *,
        least_measured: float = -math.inf,
    ) -> Scores:
        """Return the scores of world centres (N, 3) zyx mm of a volume, in their order.

        `diameters_mm` (N,) are the candidates' diameters; NaN where unknown. `least_measured`: see `score_samples`.
        """
        return self.score_samples(self.cut(volume, centers_zyx_mm, diameters_mm), least_measured=least_measured)

    def cut(self, volume: Volume, centers_zyx_mm: ArrayLike, diameters_mm: ArrayLike | None = None) -> Iterator[Sample]:
        """Yield a sample for each world centre: the patch whose middle is nearest, see `Volume.read_hu`."""
        side, centers = self.patch_size_vox, np.reshape(centers_zyx_mm, (-1, 3))
        known = np.full(len(centers), np.nan) if diameters_mm is None else np.asarray(diameters_mm, dtype=np.float64)
        for center, diameter in zip(centers, known, strict=True):
            window = window_around(volume.grid.to_index(center), (side, side, side))
            has_measures = bool(self.card.measured) and not np.isnan(diameter)
            measure = partial(self._measure, volume, center, float(diameter)) if has_measures else None
            yield Sample(volume.read_hu(window), float(diameter), measure)

    def _measure(self, volume: Volume, center_zyx_mm: FloatArray, diameter_mm: float) -> float:
        measures = [measure_candidate(volume, center_zyx_mm, diameter_mm)]
        return float(np.mean([measured.logits(measures)[0] for measured in self.card.measured]))

    def score_samples(self, samples: Iterable[Sample], *, least_measured: float = -math.inf) -> Scores:
        """Return the scores of samples, `patches_per_batch` at once; a thread reads the next batch at the same time.

        Samples with a nodule's logit below `least_measured` are not measured: in a scan most candidates are no nodules.
        """
        outputs: list[dict[str, FloatArray]] = []
        measured: list[float] = []
        for group in _read_ahead(samples, self.inference.patches_per_batch):
            hu = torch.from_numpy(np.stack([sample.hu for sample in group])[:, None])
            diameters = torch.tensor([sample.diameter_mm for sample in group], dtype=torch.float32)
            heads = self._logits(hu, diameters)
            outputs.append(heads)
            for sample, logit in zip(group, heads["nodule"], strict=True):
                measured.append(math.nan if sample.measure is None or logit < least_measured else sample.measure())
        if not outputs:
            return Scores(np.zeros(0), np.zeros(0), self._no_ratings())
        heads = {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}
        linear = with_measures(self.card, heads["malignancy"], np.array(measured))
        malignancy = torch.from_numpy(linear).sigmoid().numpy()
        ratings = torch.from_numpy(heads["ratings"]).softmax(dim=-1).numpy() if "ratings" in heads else None
        return Scores(heads["nodule"], malignancy, ratings, np.array(measured))

    def _no_ratings(self) -> FloatArray | None:
        has_ratings = "ratings" in self.card.part.network.heads
        return np.zeros((0, len(CHARACTERISTICS), MAX_RATING)) if has_ratings else None

    def _logits(self, hu_BCZYX: Tensor, diameter_mm_B: Tensor) -> dict[str, FloatArray]:
        """Return every head's logits (B, ...), the mean over members and views."""
        inference = self.inference
        num_views, num_small = inference.num_views, inference.num_small_views or inference.num_views
        sums = self._sum_of_views(hu_BCZYX, diameter_mm_B, (0, num_views))
        counts = np.full(len(hu_BCZYX), float(num_views))
        small = (diameter_mm_B < inference.small_mm).nonzero()[:, 0]
        if num_small > num_views and len(small):
            more = self._sum_of_views(hu_BCZYX[small], diameter_mm_B[small], (num_views, num_small))
            for name, values in more.items():
                sums[name][small.numpy()] += values
            counts[small.numpy()] = num_small
        return {name: values / counts.reshape(-1, *[1] * (values.ndim - 1)) for name, values in sums.items()}

    def _sum_of_views(self, hu_BCZYX: Tensor, diameter_mm_B: Tensor, part: tuple[int, int]) -> dict[str, FloatArray]:
        count = len(hu_BCZYX)
        # oneDNN sums in another order for a single patch, so the score would depend on the batch size
        patches, diameters = hu_BCZYX, diameter_mm_B
        if count == 1:
            patches, diameters = hu_BCZYX.expand(2, -1, -1, -1, -1), diameter_mm_B.expand(2)
        views = [mean_logits(self.members, view, self.hardware, diameters) for view in patch_views(patches, *part)]
        heads = {name: torch.stack([view[name] for view in views]).sum(dim=0) for name in views[0]}
        return {name: np.asarray(values.cpu().numpy(), dtype=np.float64)[:count] for name, values in heads.items()}


def with_measures(card: ModelCard, network_logits: FloatArray, measured_logits: FloatArray) -> FloatArray:
    """Return the logits (N,) of malignancy of networks and measures together, as the card's figures weigh them.

    Without a calibration the result is their mean by NETWORK_SHARE. Where nothing was measured (NaN) the networks'
    logit stands in for that of the measures.
    """
    figures, share = card.figures, NETWORK_SHARE if card.measured else 1.0
    slope = figures.get(MALIGNANCY_SLOPE, share)
    linear = figures.get(MALIGNANCY_INTERCEPT, 0.0) + slope * network_logits
    if not card.measured:
        return linear
    known = np.where(np.isnan(measured_logits), network_logits, measured_logits)
    return np.asarray(linear + figures.get(MALIGNANCY_MEASURED, 1.0 - share) * known)


def _read_ahead(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    remaining = iter(samples)

    def read() -> list[Sample]:
        return list(islice(remaining, size))

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read)
        while group := coming.result():
            coming = reader.submit(read)
            yield group
