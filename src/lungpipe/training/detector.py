"""Train the detector of one fold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lungpipe.sampling.masks import NoduleMasks
from lungpipe.sampling.points import detector_points
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.settings.recipe.detector import CenterObjectiveSettings
from lungpipe.tables import CENTER_COLUMNS, POINTS
from lungpipe.training.fold_model import FoldModel, FoldTables, FoldVolumes, RoleTraining, train_fold
from lungpipe.training.members import Material, Trained, TrainingJob, feed_plan, train_members

NUM_READERS = 4
"""Readers of every LIDC-IDRI scan."""


def train_fold_detector(
    part: TrainedDetector,
    tables: FoldTables,
    volumes: FoldVolumes,
    job: TrainingJob,
    *,
    recipe: str,
    mask_files: Sequence[Path] = (),
) -> FoldModel:
    """Train the detector of a fold; `mask_files` are nodule masks, named by their series. Raises as `train_detector`.

    Raises:
        ScanError: a nodule mask that cannot be read, or that is not within its scan.
    """
    masks = NoduleMasks.of(mask_files, volumes.stores) if mask_files else None
    if masks is not None:
        job.say(f"{len(masks.series)} series have nodule masks; all other nodules are painted as balls")

    def gather(stores: Mapping[str, Path]) -> Material:
        points = detector_points(stores, tables.nodules, tables.exclusions, part.sampling, seed=job.seed)
        return Material(points, stores, tables.nodules, tables.exclusions, masks)

    train = partial(train_detector, part, job=job, spacing_zyx_mm=volumes.spacing_zyx_mm)
    return train_fold(part, tables, volumes, RoleTraining("detector", gather, train), recipe=recipe)


def train_detector(
    part: TrainedDetector,
    material: tuple[Material, Material],
    job: TrainingJob,
    *,
    spacing_zyx_mm: tuple[float, float, float],
) -> Trained:
    """Train new detectors on `material` = (training, validation); same seed, machine and threads: same bytes.

    Raises:
        ValueError: no points for training or validation, or no nodule to train on.
        FloatingPointError, RuntimeError: see `fit`.
    """
    for name, side in zip(("training", "validation"), material, strict=True):
        if side.points.empty:
            raise ValueError(f"detector: expected points for {name}, found none")
    if not material[0].num_nodule_points:
        raise ValueError("detector: expected nodules in the training series, found none")
    objective = part.training.objective
    if isinstance(objective, CenterObjectiveSettings) and objective.has_consensus_weights:
        material = (with_consensus_weights(material[0]), with_consensus_weights(material[1]))
    plan = feed_plan(
        part,
        job,
        spacing_zyx_mm,
        small_nodule_power=part.sampling.small_nodule_power,
        mask=part.sampling.mask,
        hard_fraction=part.training.hard_negatives.batch_fraction,
    )
    return train_members(part, material, job, plan)


def with_consensus_weights(material: Material) -> Material:
    """Return the material with each annotated nodule's weight multiplied by the share of readers who rated it.

    A nodule without ratings keeps its weight.
    """
    nodules, points = material.nodules, material.points
    ratings = nodules["malignancy_ratings"]
    num_ratings = ratings.str.count(";").add(1).where(ratings.notna(), NUM_READERS)
    key = ["series_uid", *CENTER_COLUMNS]
    shares = nodules[key].assign(share=np.minimum(num_ratings.astype(float) / NUM_READERS, 1.0)).drop_duplicates(key)
    share = points[key].merge(shares, on=key, how="left")["share"].fillna(1.0).to_numpy()
    is_annotated = (points["kind"] == "nodule").to_numpy()
    weighted = points.assign(weight=points["weight"].to_numpy() * np.where(is_annotated, share, 1.0))
    return replace(material, points=POINTS.conform(weighted))
