"""Train the detector of one fold."""

from dataclasses import replace

import numpy as np

from lungpipe.settings.recipe import TrainedDetector
from lungpipe.settings.recipe.detector import CenterObjectiveSettings
from lungpipe.tables import CENTER_COLUMNS, POINTS
from lungpipe.training.members import Material, Trained, TrainingJob, feed_plan, train_members

NUM_READERS = 4
"""Readers of every LIDC-IDRI scan."""


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
