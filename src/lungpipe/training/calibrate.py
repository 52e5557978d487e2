"""Calibrate the malignancy of a scorer on its validation nodules."""

from dataclasses import replace

import torch

from lungpipe.evaluation.calibration import fit_logistic
from lungpipe.models.card import MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE
from lungpipe.models.side_inputs import apply_network
from lungpipe.sampling.feed import Feed
from lungpipe.sampling.plan import FeedPlan
from lungpipe.training.augment import centre_crop
from lungpipe.training.members import Material, Trained, TrainingJob

LEAST_CASES = 10
"""Fewer malignant or benign validation nodules calibrate nothing."""


def calibrate_malignancy(trained: Trained, validation: Material, job: TrainingJob, plan: FeedPlan) -> dict[str, float]:
    """Return intercept and slope of the logistic regression of the label on the members' mean logit (Platt, 1999).

    The cases are the annotated nodules of the validation series with a known label. The result is empty with too few
    malignant or benign ones, and where a higher logit does not mean a higher risk.
    """
    points = validation.points
    is_case = ((points["kind"] == "nodule") & points["malignancy"].notna()).to_numpy()
    labels = points["malignancy"].to_numpy()[is_case]
    if min(int((labels == 1).sum()), int((labels == 0).sum())) < LEAST_CASES:
        return {}
    cases = replace(
        validation,
        points=points[is_case].reset_index(drop=True),
        labels={name: values[is_case] for name, values in validation.labels.items()},
    )
    intercept, slope = fit_logistic(labels, _logits(trained, cases, job, plan))
    return {MALIGNANCY_INTERCEPT: intercept, MALIGNANCY_SLOPE: slope} if slope > 0 else {}


@torch.inference_mode()
def _logits(trained: Trained, cases: Material, job: TrainingJob, plan: FeedPlan) -> list[float]:
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
                outputs.append(found["malignancy"].float())
            logits += torch.stack(outputs).mean(dim=0).tolist()
    finally:
        feed.close()
    return logits
