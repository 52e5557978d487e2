"""The evaluation agrees with a slow reference, written straight from the rules, on thousands of random cases."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from lungpipe.evaluation.froc import cpm, froc_curve, ranked_events, sensitivity_at
from lungpipe.evaluation.matching import match

_PATH = Path(__file__).parents[1] / "reference" / "slow_evaluation.py"
_SPEC = importlib.util.spec_from_file_location("slow_evaluation", _PATH)
slow_evaluation = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(slow_evaluation)

COLUMNS = ["series_uid", "center_z_mm", "center_y_mm", "center_x_mm"]
SERIES = ["a", "b", "c", "d", "e"]


def random_case(rng):
    """Draw a case full of ties and overlaps: whole millimetres in a small box, few different probabilities."""
    listed = SERIES[: rng.integers(1, 5)]
    is_large = rng.random() < 0.15
    box = rng.integers(2, 14)

    def places(number):
        return [(SERIES[s], *map(float, p)) for s, p in zip(*_drawn(rng, number, len(listed) + 1, box), strict=True)]

    levels = rng.choice([2, 5, 40, 10_000])
    marks = places(rng.integers(95, 220) if is_large else rng.integers(0, 40))
    if is_large:
        # around the cap: nearly all marks in one scan
        marks = [(SERIES[0] if rng.random() < 0.9 else series, *point) for series, *point in marks]
    nodules, exclusions = places(rng.integers(1, 9)), places(rng.integers(0, 9))
    return (
        [(*mark, float(rng.integers(levels)) / levels) for mark in marks],
        [(*nodule, float(rng.integers(0, 16))) for nodule in nodules],
        [(*finding, float(rng.choice([-1, -1, 3, 8, 20]))) for finding in exclusions],
        listed,
    )


def _drawn(rng, number, num_series, box):
    return rng.integers(0, num_series, number), rng.integers(-box, box, (number, 3))


def tables(marks, nodules, exclusions):
    return (
        pd.DataFrame(marks, columns=[*COLUMNS, "probability"]),
        pd.DataFrame(nodules, columns=[*COLUMNS, "diameter_mm"]),
        pd.DataFrame(exclusions, columns=[*COLUMNS, "diameter_mm"]),
    )


@pytest.mark.parametrize("seed", range(8))
def test_counts_curve_and_cpm_agree_with_the_slow_reference(seed):
    rng = np.random.default_rng(seed)
    seen = dict.fromkeys(("capped", "double", "excluded", "shared"), 0)
    for _ in range(400):
        *rows, listed = random_case(rng)
        matches = match(*tables(*rows), listed)
        counts, points = slow_evaluation.evaluate(*rows, listed)
        assert matches.counts() == counts, rows
        seen["capped"] += counts["num_candidates"] < sum(mark[0] in listed for mark in rows[0])
        seen["double"] += counts["ignored_double"] > 0
        seen["excluded"] += counts["ignored_on_excluded"] > 0
        seen["shared"] += len(set(matches.nodule_mark[matches.nodule_mark >= 0])) < counts["true_positives"]
        if not counts["num_nodules"]:
            continue
        froc = froc_curve(matches)
        np.testing.assert_allclose(froc.fp_per_scan * len(listed), [x for x, _ in points], atol=1e-9)
        np.testing.assert_allclose(froc.sensitivity * counts["num_nodules"], [y for _, y in points], atol=1e-9)
        exact = slow_evaluation.cpm(points, len(listed), counts["num_nodules"])
        assert cpm(froc) == pytest.approx(float(exact), abs=1e-12)
    # the cases are worth their time only if they contain what is hard
    assert all(number > 20 for number in seen.values()), seen


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_the_one_of_scikit_learns_roc_curve_rescaled(seed):
    """The official script takes fpr and tpr of the hits and false positives and rescales them."""
    rng = np.random.default_rng(100 + seed)
    for _ in range(100):
        *rows, listed = random_case(rng)
        matches = match(*tables(*rows), listed)
        events = ranked_events(matches)
        if not events.is_hit.any() or events.is_hit.all():
            continue
        fpr, tpr, _ = roc_curve(events.is_hit, events.probability)
        fp_per_scan = fpr * (~events.is_hit).sum() / len(listed)
        sensitivity = tpr * events.is_hit.sum() / matches.num_nodules
        # away from the curve's own corners, where rounding decides on which side of a step a rate falls
        rates = rng.uniform(0, 8, 30)
        expected = np.interp(rates, fp_per_scan, sensitivity)
        np.testing.assert_allclose(sensitivity_at(froc_curve(matches), rates), expected, atol=1e-9)
