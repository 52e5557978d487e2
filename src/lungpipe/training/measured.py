"""Learn malignancy from measures of the training nodules, beside the network."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates.measures import measure_candidate
from lungpipe.evaluation.stacking import fit_ridge
from lungpipe.models.measured import MeasuredMalignancy
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.measures import MEASURED
from lungpipe.training.members import Material, TrainingJob
from lungpipe.volumes.store import open_volume

LEAST_RATED = 30
"""Fewer rated training nodules teach nothing."""
NUM_MOVED = 3
"""Moved copies of each training nodule: a detector's centres and diameters are not the readers'."""
MOVED_MM, MOVED_DIAMETER_SHARE, MOVED_LOG = 0.35, 1 / 40, 0.1
"""Standard deviations: a copy moves along each axis by MOVED_MM or MOVED_DIAMETER_SHARE x diameter, whichever is more,
and its diameter changes by a factor exp(MOVED_LOG)."""
HIGH_RATINGS = slice(3, 5)
"""Ratings 4 and 5, in a distribution over the ratings 1 to 6."""
RIDGE = 10.0
"""Strength of the ridge: what `choose_ridge` chooses on LUNA16's nodules (docs/malignancy.md)."""
FloatArray = NDArray[np.float64]


def learn_measured(training: Material, job: TrainingJob) -> tuple[MeasuredMalignancy, ...]:
    """Return the regression of the readers' malignancy ratings on measures of the training nodules.

    Empty with fewer than LEAST_RATED rated nodules, or where all readers agree on all nodules.
    """
    is_nodule = (training.points["kind"] == "nodule").to_numpy()
    shares = training.labels["ratings"][:, 0, HIGH_RATINGS].sum(axis=1).astype(np.float64)
    is_rated = is_nodule & ~np.isnan(shares)
    if is_rated.sum() < LEAST_RATED or np.ptp(shares[is_rated]) == 0:
        return ()
    nodules, rng = training.points[is_rated], np.random.default_rng((job.seed, job.fold is not None, job.fold or 0))
    copies = pd.concat([nodules, *(_moved(nodules, rng) for _ in range(NUM_MOVED))], ignore_index=True)
    table = pd.DataFrame(measure_points(copies, training, job.num_threads))[list(MEASURED)].to_numpy()
    number = NUM_MOVED + 1
    # the copies of a nodule count as one case together
    fitted = fit_ridge(np.tile(shares[is_rated], number), table, RIDGE, np.full(len(copies), 1 / number))
    knots = tuple(map(tuple, fitted.scores.knots.tolist()))
    weights = tuple(fitted.weights.tolist())
    return (MeasuredMalignancy(values=MEASURED, knots=knots, weights=weights, intercept=fitted.intercept),)


def measure_points(points: pd.DataFrame, material: Material, num_threads: int) -> list[dict[str, float]]:
    """Return diameter and measures of points with a diameter, in their order."""
    volumes = {uid: open_volume(material.volumes[uid], uid) for uid in points["series_uid"].unique()}
    centers, diameters = points[list(CENTER_COLUMNS)].to_numpy(), points["diameter_mm"].to_numpy(dtype=np.float64)
    jobs = (
        partial(measure_candidate, volumes[uid], center, diameter)
        for uid, center, diameter in zip(points["series_uid"], centers, diameters, strict=True)
    )
    with ThreadPoolExecutor(num_threads) as threads:
        return list(threads.map(lambda job: job(), jobs))


def _moved(nodules: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    diameters = nodules["diameter_mm"].to_numpy(dtype=np.float64)
    spread = np.maximum(MOVED_MM, MOVED_DIAMETER_SHARE * diameters)[:, None]
    columns = list(CENTER_COLUMNS)
    moved = nodules.copy()
    moved[columns] = nodules[columns].to_numpy() + spread * rng.standard_normal((len(nodules), 3))
    moved["diameter_mm"] = diameters * np.exp(MOVED_LOG * rng.standard_normal(len(nodules)))
    return moved
