"""Paired comparison of two submissions on the same scans."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from lungpipe.evaluation.bootstrap import bootstrap_froc, compare, interval
from lungpipe.evaluation.froc import RATE_NAMES, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import Matches
from lungpipe.evaluation.result_tables import plain
from lungpipe.tables.errors import InputError


def compare_submissions(
    a: Matches,
    b: Matches,
    *,
    num_bootstraps: int,
    seed: int,
    on_sample: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return CPM and sensitivities of two matchings of the same scans, and b minus a with interval and p, paired.

    `on_sample` is called after each bootstrap sample with the number of samples done and of all (of a, then of b).

    Raises:
        InputError: different lists of scans.
    """
    if a.series_uids != b.series_uids:
        found = f"{a.num_scans} and {b.num_scans} scans, or another order"
        raise InputError(f"comparison: expected the same scans in the same order, found {found}")
    samples = [
        bootstrap_froc(each, num_bootstraps, np.random.default_rng(seed), on_sample=on_sample) for each in (a, b)
    ]
    at_rates = [sensitivity_at(froc_curve(each)) for each in (a, b)]
    by_rate = {
        name: asdict(compare(samples[0][:, i], samples[1][:, i], at_rates[1][i] - at_rates[0][i]))
        for i, name in enumerate(RATE_NAMES)
    }
    means = [each.mean(axis=1) for each in samples]
    overall = compare(means[0], means[1], float(at_rates[1].mean() - at_rates[0].mean()))
    summary = {
        "cpm_a": at_rates[0].mean(),
        "cpm_b": at_rates[1].mean(),
        "cpm_ci95_a": interval(means[0]),
        "cpm_ci95_b": interval(means[1]),
        "cpm_difference": asdict(overall),
        "sensitivity_difference": by_rate,
        "num_scans": a.num_scans,
        "num_nodules": a.num_nodules,
        "bootstrap": {"num_samples": num_bootstraps, "seed": seed, "unit": "scan", "level": 0.95},
    }
    return plain(summary)
