"""Probabilities of candidates: nodule and malignancy, averaged over flipped views."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungpipe.models import Classifier, Hardware, ModelCard
from lungpipe.sampling import cut_cubes
from lungpipe.settings import ClassifierSettings
from lungpipe.tables import SCORED
from lungpipe.volumes.hounsfield import scale_intensity

BATCH = 32


def score_candidates(
    network: Classifier,
    stores: Mapping[str, Path],
    candidates: pd.DataFrame,
    settings: ClassifierSettings,
    *,
    hardware: Hardware,
) -> pd.DataFrame:
    """Return the candidates with `probability` and `malignancy` (SCORED contract).

    `probability` is the geometric mean of the odds of segmenter and classifier: the two look at different fields of
    view and err differently. Nothing in it is fitted, so nothing can be fitted on the wrong subset.
    """
    network.to(hardware.device).eval()
    logits = classify(network, cut_cubes(stores, candidates, settings.patch_size_vox), settings, hardware)
    segmenter = np.clip(candidates["segmenter_score"].to_numpy(), 1e-6, 1 - 1e-6)
    combined = 0.5 * (logits[:, Classifier.NODULE] + np.log(segmenter / (1 - segmenter)))
    return SCORED.conform(
        candidates.assign(probability=_sigmoid(combined), malignancy=_sigmoid(logits[:, Classifier.MALIGNANCY]))
    )


def validation_candidates(card: ModelCard, mined: pd.DataFrame) -> pd.DataFrame:
    """Return the mined candidates of the series that only chose among the network's steps: what thresholds may see."""
    return mined[mined["series_uid"].isin(card.validation_uids)].reset_index(drop=True)


@torch.inference_mode()
def classify(
    network: Classifier, cubes_hu: NDArray[np.int16], settings: ClassifierSettings, hardware: Hardware
) -> NDArray[np.float64]:
    """Return the mean logits (N, 2) of cubes (N, P, P, P) int16 HU over `num_augmented_views` flips."""
    outputs = [np.zeros((0, 2))]
    for first in range(0, len(cubes_hu), BATCH):
        scaled = scale_intensity(cubes_hu[first : first + BATCH], settings.window_hu, settings.normalisation)
        patches = torch.from_numpy(scaled)[:, None].to(hardware.device)
        with hardware.autocast():
            views = [network(view).float() for view in _flipped(patches, settings.num_augmented_views)]
        outputs.append(torch.stack(views).mean(dim=0).cpu().numpy().astype(np.float64))
    return np.concatenate(outputs)


def _flipped(patches_BCZYX: Tensor, num_views: int) -> list[Tensor]:
    combinations = sorted(product((False, True), repeat=3), key=sum)[:num_views]
    return [
        torch.flip(patches_BCZYX, [axis + 2 for axis, is_flipped in enumerate(flips) if is_flipped])
        for flips in combinations
    ]


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-values))
