"""The model of one fold: points of its split, trained members, and the card that says what they saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.datasets.folds import Split, split_for_training
from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.models import Model, ModelCard, Role
from lungpipe.sampling.points import ScorerTables, detector_points, scorer_points
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CANDIDATES, EXCLUSIONS, NODULES, POINTS, SERIES, read_table
from lungpipe.training.detector import train_detector
from lungpipe.training.members import Material, Part, Trained, TrainingJob
from lungpipe.training.scorer import train_scorer


@dataclass(frozen=True, slots=True, eq=False)
class FoldTables:
    """The tables that a fold's models are trained on, as read from disk, and the fold's split."""

    series: pd.DataFrame
    findings: ScorerTables
    split: Split

    @classmethod
    def read(
        cls, paths: Mapping[str, str], fold: int, num_subsets: int, *, rule: MalignancyRule | None = None
    ) -> "FoldTables":
        """Read the tables `series`, `nodules` and `exclusions`, and split the series for the fold.

        With a `rule`, nodules are labelled by it and the mined candidates (`mined`) are read: what a scorer needs.

        Raises:
            LeakError: a scan or a patient on two sides of the split.
        """
        series, nodules = read_table(Path(paths["series"]), SERIES), read_table(Path(paths["nodules"]), NODULES)
        labels, mined = np.full(len(nodules), np.nan), CANDIDATES.empty()
        if rule is not None:
            labels = malignancy_labels(nodules["malignancy_ratings"], rule)
            mined = read_table(Path(paths["mined"]), CANDIDATES)
        malignancy = pd.Series(labels, nodules["nodule_id"], dtype=float)
        findings = ScorerTables(nodules, read_table(Path(paths["exclusions"]), EXCLUSIONS), mined, malignancy)
        return cls(series, findings, split_for_training(series, fold, num_subsets))

    @property
    def patient_ids(self) -> list[str]:
        """Patients of the training and validation series, sorted."""
        seen = {*self.split.training_uids, *self.split.validation_uids}
        return sorted(set(self.series.loc[self.series["series_uid"].isin(seen), "patient_id"]))


@dataclass(frozen=True, slots=True)
class FoldVolumes:
    """Stores by series, their spacing (zyx, mm), and the digest of all files that a training is made from.

    Series of the split without a store are left out: their scans could not be prepared.
    """

    stores: Mapping[str, Path]
    spacing_zyx_mm: tuple[float, float, float]
    digest: str

    def of(self, series_uids: Iterable[str]) -> dict[str, Path]:
        """Return the stores of the given series that have one."""
        return {series_uid: self.stores[series_uid] for series_uid in series_uids if series_uid in self.stores}


@dataclass(frozen=True, slots=True, eq=False)
class FoldModel:
    """A trained model, its history (table HISTORY) and its points (table POINTS): training, then validation."""

    model: Model
    history: pd.DataFrame
    points: pd.DataFrame


def train_fold(part: Part, tables: FoldTables, volumes: FoldVolumes, job: TrainingJob, *, recipe: str) -> FoldModel:
    """Train the detector or the scorer of a fold and write its card.

    Raises:
        ValueError: no material to train or validate on (see `train_detector` and `train_scorer`).
    """
    split = tables.split
    training, validation = (
        gather(part, tables.findings, volumes.of(series_uids), seed=job.seed)
        for series_uids in (split.training_uids, split.validation_uids)
    )
    trained = _train(part, (training, validation), job, volumes.spacing_zyx_mm)
    role: Role = "detector" if isinstance(part, TrainedDetector) else "scorer"
    card = ModelCard.of(
        role,
        recipe,
        part,
        volumes.spacing_zyx_mm,
        split=split,
        data_digest=volumes.digest,
        outcomes=trained.outcomes,
        patient_ids=tables.patient_ids,
    )
    points = POINTS.conform(pd.concat([training.points, validation.points], ignore_index=True))
    return FoldModel(Model(card, trained.members), trained.history, points)


def gather(part: Part, findings: ScorerTables, stores: Mapping[str, Path], *, seed: int) -> Material:
    """Return the points of a part in the given series, with what the windows around them need."""
    if isinstance(part, TrainedDetector):
        points = detector_points(stores, findings.nodules, findings.exclusions, part.sampling, seed=seed)
    else:
        points = scorer_points(stores, findings, part.sampling, seed=seed)
    return Material(points, stores, findings.nodules, findings.exclusions)


def _train(
    part: Part, material: tuple[Material, Material], job: TrainingJob, spacing: tuple[float, float, float]
) -> Trained:
    if isinstance(part, TrainedDetector):
        return train_detector(part, material, job, spacing_zyx_mm=spacing)
    return train_scorer(part, material, job, spacing_zyx_mm=spacing)
