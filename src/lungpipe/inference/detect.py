"""Candidates of whole series: volume to voxels to lumps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lungpipe.candidates import group_voxels, merge_lumps, to_table
from lungpipe.inference.tiles import predict_voxels
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.models import Hardware, ModelCard, Segmenter
from lungpipe.settings import CandidateSettings, ComputeSettings, SegmenterSettings
from lungpipe.tables import CANDIDATES
from lungpipe.volumes.store import StoredVolume, open_volume

OnDone = Callable[[str], None]
"""Hears a line about every series that is done."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """What detection reads of a study."""

    segmenter: SegmenterSettings
    candidates: CandidateSettings
    compute: ComputeSettings
    lung_margin_mm: float

    @classmethod
    def of(cls, sections: Mapping[str, Any], lung_margin_mm: float) -> "DetectionSettings":
        """Validate the sections `segmenter`, `candidates` and `compute` of a study."""
        return cls(
            SegmenterSettings.model_validate(sections["segmenter"]),
            CandidateSettings.model_validate(sections["candidates"]),
            ComputeSettings.model_validate(sections["compute"]),
            lung_margin_mm,
        )


def detect_series(
    network: Segmenter,
    card: ModelCard,
    stores: Mapping[str, Path],
    settings: DetectionSettings,
    *,
    hardware: Hardware,
    on_done: OnDone,
) -> pd.DataFrame:
    """Return the candidates (CANDIDATES contract) of series that the network never saw.

    Raises:
        LeakError: the network was trained or validated on one of them.
    """
    card.refuse_seen(stores)
    return _detect_all(network, card.fold, stores, settings, hardware=hardware, on_done=on_done)


def mine_series(
    network: Segmenter,
    card: ModelCard,
    stores: Mapping[str, Path],
    settings: DetectionSettings,
    *,
    hardware: Hardware,
    on_done: OnDone,
) -> pd.DataFrame:
    """Return the candidates of the series that the network learned from: what the classifier is taught on.

    Series of the learning subsets that the split left out (a patient of the test subset) are passed over.
    """
    learned = set(card.training_uids) | set(card.validation_uids)
    known = {series_uid: path for series_uid, path in stores.items() if series_uid in learned}
    return _detect_all(network, card.fold, known, settings, hardware=hardware, on_done=on_done)


def detect_volume(
    network: Segmenter, volume: StoredVolume, settings: DetectionSettings, hardware: Hardware, *, fold: int
) -> pd.DataFrame:
    """Return the candidates of one volume: those in its lung mask, dilated by the margin."""
    lungs = volume.read_lungs() > 0
    region = dilate_mm(lungs, volume.grid.spacing_zyx_mm, settings.lung_margin_mm)
    probability = predict_voxels(network, volume.read_hu(), region, settings.segmenter, hardware=hardware)
    grouping = settings.candidates
    lumps = group_voxels(probability, volume.grid, grouping.threshold, grouping.min_voxels)
    merged = merge_lumps(lumps, grouping.merge_distance_mm, grouping.max_per_scan)
    return to_table(merged, volume.series_uid, fold)


def _detect_all(
    network: Segmenter,
    fold: int,
    stores: Mapping[str, Path],
    settings: DetectionSettings,
    *,
    hardware: Hardware,
    on_done: OnDone,
) -> pd.DataFrame:
    network.to(hardware.device).eval()
    tables = []
    for series_uid, path in sorted(stores.items()):
        tables.append(detect_volume(network, open_volume(path), settings, hardware, fold=fold))
        on_done(f"{series_uid}: {len(tables[-1])} candidates")
    found = [table for table in tables if len(table)]
    return CANDIDATES.conform(pd.concat(found, ignore_index=True)) if found else CANDIDATES.empty()
