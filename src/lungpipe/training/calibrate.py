"""Calibrate a scorer on its validation series: its malignancy, and its weight beside the detector."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from lungpipe.candidates.odds import clipped_logit
from lungpipe.evaluation.calibration import fit_shares
from lungpipe.models.card import (
    MALIGNANCY_INTERCEPT,
    MALIGNANCY_MEASURED,
    MALIGNANCY_SLOPE,
    NODULE_DETECTOR,
    NODULE_INTERCEPT,
    NODULE_SCORER,
)
from lungpipe.models.measured import NETWORK_SHARE
from lungpipe.models.side_inputs import apply_network
from lungpipe.sampling.feed import Feed
from lungpipe.sampling.plan import FeedPlan
from lungpipe.training.augment import centre_crop
from lungpipe.training.measured import measure_points
from lungpipe.training.members import Material, Trained, TrainingJob
from lungpipe.training.prevalence import shift_to_prevalence

LEAST_CASES = 10
"""Fewer malignant or benign validation nodules calibrate nothing."""
LEAST_HITS = 5
"""With fewer hits or false positives among the validation candidates, detector and scorer weigh the same."""
EQUAL_SHARE, STRENGTH = 0.5, 1.0
"""Prior of the slopes of two logits: the geometric mean of the odds, with a variance of 1."""
SLOPE_STRENGTH, INTERCEPT_STRENGTH = 10.0, 20.0
"""Priors of malignancy: a slope of 1 with a variance of 1 / 10 and an intercept of 0 with one of 1 / 20. A hundred
validation nodules move both by chance, and then the folds' probabilities do not compare."""


def calibrate_malignancy(trained: Trained, validation: Material, job: TrainingJob, plan: FeedPlan) -> dict[str, float]:
    """Return intercept and slopes of the logistic regression of the label on the logit (Platt, 1999).

    The logit is the networks' mean, or with measures the mean of both by NETWORK_SHARE: a hundred validation nodules
    cannot tell the shares of two logits that mostly agree. The cases are the annotated nodules of the validation series
    with a known label. The result is empty with too few malignant or benign ones, and where a higher logit means no
    higher risk.
    """
    points = validation.points
    is_case = ((points["kind"] == "nodule") & points["malignancy"].notna()).to_numpy()
    labels = points["malignancy"].to_numpy()[is_case]
    if min(int((labels == 1).sum()), int((labels == 0).sum())) < LEAST_CASES:
        return {}
    cases = _rows(validation, is_case)
    logits = np.asarray(_logits(trained, cases, job, plan, head="malignancy"))
    shares = {MALIGNANCY_SLOPE: 1.0}
    if trained.measured:
        shares = {MALIGNANCY_SLOPE: NETWORK_SHARE, MALIGNANCY_MEASURED: 1.0 - NETWORK_SHARE}
        measures = measure_points(cases.points, cases, job.num_threads)
        measured = np.mean([regression.logits(measures) for regression in trained.measured], axis=0)
        logits = NETWORK_SHARE * logits + (1.0 - NETWORK_SHARE) * measured
    priors = {"prior": 1.0, "strength": SLOPE_STRENGTH, "intercept_strength": INTERCEPT_STRENGTH}
    intercept, [slope] = fit_shares(labels, logits[:, None], **priors)
    if slope <= 0:
        return {}
    return {MALIGNANCY_INTERCEPT: intercept} | {name: float(slope) * share for name, share in shares.items()}


def calibrate_nodule(
    trained: Trained,
    validation: Material,
    job: TrainingJob,
    plan: FeedPlan,
    *,
    nodules_per_litre: float | None = None,
) -> dict[str, float]:
    """Return how the logits of detector and scorer add up to that of a nodule: a logistic regression with a prior.

    The cases are the detector's candidates in the validation series, hits and false positives. The intercept is moved
    to `nodules_per_litre` (see `shift_to_prevalence`). The result is empty with too few of either.
    """
    scores = validation.labels.get("detector_score")
    if scores is None:
        return {}
    labels = validation.points["is_nodule"].to_numpy()
    is_case = (validation.points["kind"] == "candidate").to_numpy() & ~np.isnan(labels) & ~np.isnan(scores)
    labels = labels[is_case]
    if min(int((labels == 1).sum()), int((labels == 0).sum())) < LEAST_HITS:
        return {}
    scorer = _logits(trained, _rows(validation, is_case), job, plan, head="nodule")
    logits = np.stack([clipped_logit(scores[is_case]), np.asarray(scorer)], axis=1)
    intercept, slopes = fit_shares(labels, logits, prior=EQUAL_SHARE, strength=STRENGTH)
    intercept += shift_to_prevalence(validation, nodules_per_litre)
    return {NODULE_INTERCEPT: intercept, NODULE_DETECTOR: float(slopes[0]), NODULE_SCORER: float(slopes[1])}


def _rows(material: Material, is_case: NDArray[np.bool_]) -> Material:
    return replace(
        material,
        points=material.points[is_case].reset_index(drop=True),
        labels={name: values[is_case] for name, values in material.labels.items()},
    )


@torch.inference_mode()
def _logits(trained: Trained, cases: Material, job: TrainingJob, plan: FeedPlan, *, head: str) -> list[float]:
    tables = (cases.nodules, cases.exclusions)
    feed = Feed(cases.points, cases.volumes, tables, replace(plan, nodule_fraction=1.0), labels=cases.labels)
    logits: list[float] = []
    try:
        for batch in feed.fixed_batches(plan.batch_size):
            patches = centre_crop(batch.to(job.hardware.device), plan.patch_size_vox)
            outputs = []
            for member in trained.members:
                with job.hardware.autocast():
                    found = apply_network(member, patches.hu_BCZYX, patches.labels.get("diameter_mm"))
                outputs.append(found[head].float())
            logits += torch.stack(outputs).mean(dim=0).tolist()
    finally:
        feed.close()
    return logits
