"""Evaluate a set of marks: fates, curve, figures with intervals, strata, warnings, and their files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.bootstrap import bootstrap_froc, interval
from lungpipe.evaluation.froc import RATE_NAMES, Froc, cpm, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import Fate, Matches, match, named_series
from lungpipe.evaluation.protocol import MISSING_SERIES_LIST, protocol_warnings
from lungpipe.evaluation.result_tables import MATCHES, band_table, froc_table, matches_table, plain
from lungpipe.evaluation.strata import (
    by_nodule_group,
    by_scan_group,
    diameter_bin_names,
    diameter_bins,
    diameter_error,
    localisation,
    num_readers,
    texture,
)
from lungpipe.tables import write_csv, write_json, write_table

FloatArray = NDArray[np.float64]

BAND_RATES = tuple(float(2.0 ** (step / 8)) for step in range(-24, 25))
"""Rates of the confidence band, eight per octave from 1/8 to 8, the official rates included."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A result: matches, curve, its band (49 rates x lower, upper), and every figure as plain data (`summary`).

    `samples` (samples, rates) are the sensitivities of the bootstrap samples at the seven official rates.
    """

    matches: Matches
    froc: Froc
    band: FloatArray
    samples: FloatArray
    summary: dict[str, Any]
    marks: pd.DataFrame
    nodules: pd.DataFrame


def evaluate(
    marks: pd.DataFrame,
    nodules: pd.DataFrame,
    exclusions: pd.DataFrame | None,
    series_uids: Sequence[str] | None,
    *,
    num_bootstraps: int,
    seed: int,
    subset_of: Mapping[str, str] | None = None,
    on_sample: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate marks (series_uid, center_*_mm, probability) by the official LUNA16 rules.

    `nodules` may have the columns malignancy_ratings and texture_ratings, `marks` the column diameter_mm. The strata
    and errors that need these columns are then reported too. Figures that are not defined are None. Without a list of
    scans, all scans that the tables name are evaluated, with a warning. `on_sample` is called after each bootstrap
    sample with the number of samples done and of all.

    Raises:
        InputError: a series that is listed twice, a number that is not finite.
    """
    listed = named_series(nodules, exclusions, marks) if series_uids is None else series_uids
    matches = match(marks, nodules, exclusions, listed)
    froc = froc_curve(matches)
    samples = bootstrap_froc(matches, num_bootstraps, np.random.default_rng(seed), BAND_RATES, on_sample=on_sample)
    official = samples[:, ::8]
    cpm_ci, sensitivity_ci = interval(official.mean(axis=1)), interval(official).T
    summary = {
        **matches.counts(),
        "cpm": cpm(froc),
        "cpm_ci95": cpm_ci,
        "sensitivity": dict(zip(RATE_NAMES, sensitivity_at(froc), strict=True)),
        "sensitivity_ci95": dict(zip(RATE_NAMES, sensitivity_ci, strict=True)),
        "sensitivity_max": froc.sensitivity[-1],
        "fp_per_scan_max": froc.fp_per_scan[-1],
        "num_marks": len(marks),
        "num_over_cap": int((matches.mark_fate == Fate.OVER_CAP).sum()),
        "num_unknown_series": int((matches.mark_fate == Fate.UNKNOWN_SERIES).sum()),
        "bootstrap": {"num_samples": num_bootstraps, "seed": seed, "unit": "scan", "level": 0.95},
        "strata": _strata(matches, nodules, subset_of),
        "localisation": localisation(matches, marks, nodules),
        "diameter_error": diameter_error(matches, marks, nodules),
        "warnings": [
            *([MISSING_SERIES_LIST] if series_uids is None else []),
            *protocol_warnings(marks, nodules, exclusions, matches),
        ],
    }
    return Evaluation(matches, froc, interval(samples).T, official, plain(summary), marks, nodules)


def write_evaluation(evaluation: Evaluation, out_dir: Path) -> None:
    """Write evaluation.json, froc.csv, froc_band.csv and matches.parquet into `out_dir`, each whole.

    froc.csv has the corners of the curve, froc_band.csv the 95 % interval of the sensitivity at `BAND_RATES`.
    """
    out_dir = Path(out_dir)
    write_json(out_dir / "evaluation.json", evaluation.summary)
    write_csv(froc_table(evaluation.froc), out_dir / "froc.csv")
    write_csv(band_table(BAND_RATES, evaluation.band), out_dir / "froc_band.csv")
    write_table(
        matches_table(evaluation.matches, evaluation.marks, evaluation.nodules), out_dir / "matches.parquet", MATCHES
    )


def _strata(matches: Matches, nodules: pd.DataFrame, subset_of: Mapping[str, str] | None) -> dict[str, Any]:
    diameters = diameter_bins(nodules["diameter_mm"])
    strata = {"diameter": by_nodule_group(matches, diameters, diameter_bin_names())}
    if "malignancy_ratings" in nodules:
        strata["readers"] = by_nodule_group(matches, num_readers(nodules["malignancy_ratings"]))
    if "texture_ratings" in nodules:
        strata["texture"] = by_nodule_group(matches, texture(nodules["texture_ratings"]))
    if subset_of is not None:
        strata["subset"] = by_scan_group(matches, subset_of)
    return {
        name: [asdict(each) | {"sensitivity": dict(zip(RATE_NAMES, each.sensitivity, strict=True))} for each in parts]
        for name, parts in strata.items()
    }
