"""Train the model of one fold: training points, members, and the model card."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lungpipe.datasets.folds import Split, keep_all_for_training, split_for_training
from lungpipe.models import Model, ModelCard, Role, save_model
from lungpipe.tables import EXCLUSIONS, HISTORY, NODULES, POINTS, SERIES, read_table, write_table
from lungpipe.training.fold_choices import list_monitored
from lungpipe.training.members import Material, Part, Trained


@dataclass(frozen=True, slots=True, eq=False)
class FoldTables:
    """The tables that a fold's models are trained on, as read from disk, and the fold's split."""

    series: pd.DataFrame
    nodules: pd.DataFrame
    exclusions: pd.DataFrame
    split: Split

    @classmethod
    def read(cls, paths: Mapping[str, str], fold: int | None, num_subsets: int) -> "FoldTables":
        """Read the tables `series`, `nodules` and `exclusions`, and split the series for the fold.

        Without a fold all series are for training.

        Raises:
            LeakError: a scan or a patient in two parts of the split.
        """
        series, nodules, exclusions = (
            read_table(Path(paths[name]), contract)
            for name, contract in (("series", SERIES), ("nodules", NODULES), ("exclusions", EXCLUSIONS))
        )
        if fold is None:
            return cls(series, nodules, exclusions, keep_all_for_training(series))
        return cls(series, nodules, exclusions, split_for_training(series, fold, num_subsets))

    @property
    def patient_ids(self) -> list[str]:
        """Patients of the training and validation series, sorted."""
        seen = {*self.split.training_uids, *self.split.validation_uids}
        return sorted(set(self.series.loc[self.series["series_uid"].isin(seen), "patient_id"]))


@dataclass(frozen=True, slots=True)
class FoldVolumes:
    """Stores by series, their spacing (zyx, mm), and the digest of all files that a training depends on.

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

    def write(self, paths: Mapping[str, str]) -> None:
        """Write the `model`, the `history` and the `points` to the paths of these names, each file whole."""
        save_model(Path(paths["model"]), self.model)
        write_table(self.history, Path(paths["history"]), HISTORY)
        write_table(self.points, Path(paths["points"]), POINTS)


@dataclass(frozen=True, slots=True)
class RoleTraining:
    """How a role is trained.

    gather: returns the material of the given stores. train: trains members on (training, validation). The code of one
    role does not name the code of the other, so an edit of one role's training does not retrain the other role.
    """

    role: Role
    gather: Callable[[Mapping[str, Path]], Material]
    train: Callable[[tuple[Material, Material]], Trained]


def train_fold(
    part: Part, tables: FoldTables, volumes: FoldVolumes, training: RoleTraining, *, recipe: str
) -> FoldModel:
    """Train the part of a fold on the split's series that have a store, and write its card.

    A model of all series is measured on some of its training series; nothing is chosen on them.

    Raises:
        ValueError: no material to train or validate on (see `train_detector` and `train_scorer`).
    """
    split = tables.split
    measured_uids = list_monitored(split.training_uids) if split.fold is None else split.validation_uids
    learned, measured = (
        training.gather(volumes.of(series_uids)) for series_uids in (split.training_uids, measured_uids)
    )
    trained = training.train((learned, measured))
    card = ModelCard.of(
        training.role,
        recipe,
        part,
        volumes.spacing_zyx_mm,
        split=split,
        data_digest=volumes.digest,
        outcomes=trained.outcomes,
        patient_ids=tables.patient_ids,
        figures=trained.figures,
        measured=trained.measured,
    )
    parts = [learned.points] if split.fold is None else [learned.points, measured.points]
    points = POINTS.conform(pd.concat(parts, ignore_index=True))
    return FoldModel(Model(card, trained.members), trained.history, points)
