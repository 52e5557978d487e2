"""False positives of a network in the volumes that it is trained on, as points for its further training."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from lungpipe.candidates import label_candidates, to_table
from lungpipe.inference.detector import Detector
from lungpipe.models import Hardware
from lungpipe.models.card import ModelCard
from lungpipe.models.model import Model
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.volumes.store import open_volume

COLUMNS = ["series_uid", *CENTER_COLUMNS]


def find_false_positives(
    network: nn.Module,
    part: TrainedDetector,
    hardware: Hardware,
    volumes: Mapping[str, Path],
    *,
    findings: tuple[pd.DataFrame, pd.DataFrame],
) -> pd.DataFrame:
    """Return the positions (series_uid, center_*_mm) of false positives, by series and falling score.

    The part's own inference searches the lungs of every volume. Detections inside a nodule or an excluded finding
    (`findings`: the tables NODULES and EXCLUSIONS) are left out, and so are those below `min_probability` or beyond
    `max_per_scan` of the settings `hard_negatives`. The network is not changed.
    """
    settings = part.training.hard_negatives
    tables = []
    detector: Detector | None = None
    for series_uid, path in sorted(volumes.items()):
        volume = open_volume(path)
        if detector is None:
            detector = Detector(_model_of(network, part, volume.grid.spacing_zyx_mm), part.inference, hardware)
        table = to_table(detector.detect(volume), series_uid, 0)
        labels = label_candidates(table, *findings)
        is_hard = labels.is_negative & (table["detector_score"].to_numpy() >= settings.min_probability)
        tables.append(table.loc[np.flatnonzero(is_hard)[: settings.max_per_scan], COLUMNS])
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype="str" if name == "series_uid" else float) for name in COLUMNS})
    return pd.concat(filled, ignore_index=True)


def _model_of(network: nn.Module, part: TrainedDetector, spacing_zyx_mm: tuple[float, float, float]) -> Model:
    card = ModelCard(
        role="detector",
        recipe="",
        settings=part.model_dump(mode="json"),
        spacing_zyx_mm=spacing_zyx_mm,
        fold=None,
        training_series=(),
        validation_series=(),
        patients=(),
        data_digest="",
        best_steps=(0,),
        figures={},
    )
    return Model(card, (network,))
