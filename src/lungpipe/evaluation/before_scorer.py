"""Detection as the detector alone ranks the candidates, beside the ranking of detector and scorer."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from lungpipe.evaluation.bootstrap import bootstrap_froc, compare, interval
from lungpipe.evaluation.evaluate import Evaluation
from lungpipe.evaluation.froc import RATE_NAMES, cpm, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.result_tables import plain


def marks_before(scored: pd.DataFrame) -> pd.DataFrame | None:
    """Return the candidates (table SCORED) with the detector's score as probability.

    None where the detector has no scores (candidates of a dataset), and where no scorer changed them.
    """
    scores = scored["detector_score"]
    if scores.isna().any() or scores.to_numpy().tolist() == scored["probability"].to_numpy().tolist():
        return None
    return scored.assign(probability=scores)


def figures_before(
    evaluation: Evaluation, marks: pd.DataFrame, exclusions: pd.DataFrame, series_uids: list[str]
) -> dict[str, Any]:
    """Return CPM and sensitivities of `marks` (see `marks_before`), and what the scorer adds to the CPM.

    The scorer's gain is the CPM of the evaluation minus that of the marks, with interval and p of paired bootstrap
    samples of scans: those of the evaluation.
    """
    before = match(marks, evaluation.nodules, exclusions, series_uids)
    curve = froc_curve(before)
    bootstrap = evaluation.summary["bootstrap"]
    # the same seed draws the same scans as for the evaluation
    samples = bootstrap_froc(before, bootstrap["num_samples"], np.random.default_rng(bootstrap["seed"]))
    cpms, gained = samples.mean(axis=1), evaluation.summary["cpm"] - cpm(curve)
    figures = {
        "cpm": cpm(curve),
        "cpm_ci95": interval(cpms),
        "sensitivity": dict(zip(RATE_NAMES, sensitivity_at(curve), strict=True)),
        "sensitivity_ci95": dict(zip(RATE_NAMES, interval(samples).T, strict=True)),
        "gain_of_scorer": asdict(compare(cpms, evaluation.samples.mean(axis=1), gained)),
    }
    return dict(plain(figures))
