"""Train the scorer of one fold."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates.of_fold import read_fold_candidates
from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.sampling.points import ScorerTables, scorer_points
from lungpipe.sampling.rating_labels import rating_labels, reader_weights
from lungpipe.settings.recipe import TrainedScorer
from lungpipe.settings.recipe.scorer import RatingObjectiveSettings
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, RATINGS, read_table
from lungpipe.training.calibrate import calibrate_malignancy, calibrate_nodule
from lungpipe.training.fine_tune import finisher
from lungpipe.training.fold_model import FoldModel, FoldTables, FoldVolumes, RoleTraining, train_fold
from lungpipe.training.measured import learn_measured
from lungpipe.training.members import Material, Trained, TrainingJob, feed_plan, train_members


def read_findings(
    tables: FoldTables, rule: MalignancyRule, *, ratings: Path, mined: Path | None = None
) -> ScorerTables:
    """Return the training data of a scorer: the fold's tables, ratings, and malignancy labels by the rule.

    `ratings` and `mined` are the files of the tables RATINGS and CANDIDATES; without `mined` there are no candidates.

    Raises:
        ContractError: a table that breaks its contract, or candidates of another fold; the message names the file.
    """
    labels = pd.Series(malignancy_labels(tables.nodules["malignancy_ratings"], rule), tables.nodules["nodule_id"])
    fold = tables.split.fold
    if mined is None:
        candidates = CANDIDATES.empty()
    else:
        candidates = read_table(mined, CANDIDATES) if fold is None else read_fold_candidates(mined, fold)
    return ScorerTables(
        tables.nodules, tables.exclusions, candidates, labels.astype(float), read_table(ratings, RATINGS)
    )


def train_fold_scorer(
    part: TrainedScorer,
    tables: FoldTables,
    volumes: FoldVolumes,
    job: TrainingJob,
    *,
    findings: ScorerTables,
    recipe: str,
    nodules_per_litre: float | None = None,
) -> FoldModel:
    """Train the scorer of a fold on the result of `read_findings`; raises as `train_scorer`."""

    def gather(stores: Mapping[str, Path]) -> Material:
        points = scorer_points(stores, findings, part.sampling, seed=job.seed)
        objective = part.training.objective
        if isinstance(objective, RatingObjectiveSettings) and objective.has_consensus_weights:
            points = points.assign(weight=reader_weights(points, findings.ratings))
        labels = {
            "ratings": rating_labels(points, findings.ratings),
            "diameter_mm": points["diameter_mm"].to_numpy(np.float32),
            "detector_score": detector_scores(points, findings.mined),
        }
        return Material(points, stores, tables.nodules, tables.exclusions, labels=labels)

    train = partial(
        train_scorer, part, job=job, spacing_zyx_mm=volumes.spacing_zyx_mm, nodules_per_litre=nodules_per_litre
    )
    return train_fold(part, tables, volumes, RoleTraining("scorer", gather, train), recipe=recipe)


def train_scorer(
    part: TrainedScorer,
    material: tuple[Material, Material],
    job: TrainingJob,
    *,
    spacing_zyx_mm: tuple[float, float, float],
    nodules_per_litre: float | None = None,
) -> Trained:
    """Train new scorers on `material` = (training, validation); same seed, machine and threads: same bytes.

    The calibrated probability of a nodule holds where nodules are as frequent as `nodules_per_litre` says.

    Raises:
        ValueError: training points of one class only, or no validation points.
        FloatingPointError, RuntimeError: see `fit`.
    """
    training, validation = material
    num_nodules, num_points = training.num_nodule_points, len(training.points)
    if not 0 < num_nodules < num_points or validation.points.empty:
        raise ValueError(
            f"scorer: expected nodules and others to train on and points to validate on, found {num_nodules} nodules "
            f"among {num_points} points, {len(validation.points)} for validation"
        )
    plan = feed_plan(part, job, spacing_zyx_mm, rest="others")
    # a localiser is measured on nodules that are not in the middle
    checked = replace(plan, is_shifted="place" in part.network.heads)
    trained = train_members(part, material, job, checked, finish=finisher(part, material, job, plan))
    if part.training.has_measures:
        trained = replace(trained, measured=learn_measured(training, job))
    if job.choices is not None:
        return replace(trained, figures=job.choices.figures)
    return replace(
        trained,
        figures=calibrate_malignancy(trained, validation, job, plan)
        | calibrate_nodule(trained, validation, job, plan, nodules_per_litre=nodules_per_litre),
    )


def detector_scores(points: pd.DataFrame, mined: pd.DataFrame) -> NDArray[np.float32]:
    """Return the detector's score (N,) of every point that is a mined candidate; NaN for the others."""
    key = ["series_uid", *CENTER_COLUMNS]
    scores = mined[[*key, "detector_score"]].drop_duplicates(key)
    found = points[key].merge(scores, on=key, how="left")["detector_score"].to_numpy(np.float32)
    return np.where((points["kind"] == "candidate").to_numpy(), found, np.float32(np.nan))
