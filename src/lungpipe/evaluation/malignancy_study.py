"""Malignancy of annotated nodules: networks, measures and stacks beside the diameter, on the same nodules."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.bootstrap import compare, interval
from lungpipe.evaluation.calibration import brier, ece
from lungpipe.evaluation.ranking import auc, auc_samples
from lungpipe.evaluation.stacking import cross_fit
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CHARACTERISTICS, write_csv, write_json
from lungpipe.tables.measures import MEASURED

FloatArray = NDArray[np.float64]
BASELINE = "diameter"
NETWORK = "network"
_EXPECTED = tuple(f"{name}_expected" for name in CHARACTERISTICS)
_OTHERS_RATED = tuple(f"{name}_mean" for name in CHARACTERISTICS if name != "malignancy")
STACKS: dict[str, tuple[str, ...]] = {
    "measures": MEASURED,
    "network + diameter": ("logit", *_EXPECTED, "diameter_mm"),
    "network + measures": ("logit", *_EXPECTED, *MEASURED),
    "readers' other eight ratings + diameter": (*_OTHERS_RATED, "diameter_mm"),
}
"""Values of each logistic stack. The last is no method: it shows what the label allows."""


@dataclass(frozen=True, slots=True, eq=False)
class MalignancyStudy:
    """Figures of a malignancy study: one row per method and group of nodules, the summary, and scores by case."""

    methods: pd.DataFrame
    summary: dict[str, Any]
    cases: pd.DataFrame

    @property
    def headline(self) -> dict[str, float]:
        """AUC of every method over all nodules, by names that a tracking server accepts, and the network's gain."""
        rows = self.methods[self.methods["nodules"] == "all"]
        figures = {f"auc {row.method}".replace("+", "and").replace("'", ""): row.auc for row in rows.itertuples()}
        for row in rows[rows["method"] == NETWORK].itertuples():
            figures |= {"gain network": row.gain, "gain network low": row.gain_low, "gain network high": row.gain_high}
        return {name.replace(": ", " ").replace(" ", "_"): float(value) for name, value in figures.items()}


def study_cases(cases: pd.DataFrame, rule: MalignancyRule, num_bootstraps: int, *, seed: int) -> MalignancyStudy:
    """Return the figures of the cases that `list_cases` made.

    Raises:
        ValueError: no malignant or no benign nodule.
    """
    if cases["label"].nunique() < 2:
        raise ValueError(f"malignancy: expected malignant and benign nodules by {rule}, found {len(cases)} of one kind")
    scores = score_cases(cases)
    summary: dict[str, Any] = {
        "label_rule": rule,
        "num_nodules": len(cases),
        "num_malignant": int(cases["label"].sum()),
        "num_patients": int(cases["patient_id"].nunique()),
        "subsets": sorted(int(subset) for subset in cases["subset"].unique()),
    }
    if NETWORK in scores:
        labels = cases["label"]
        summary |= {"network_brier": brier(labels, scores[NETWORK]), "network_ece": ece(labels, scores[NETWORK])}
    methods = compare_methods(cases, scores, num_bootstraps=num_bootstraps, seed=seed)
    columns = ["nodule_id", "subset", "label", "is_clear"]
    return MalignancyStudy(methods, summary, cases[columns].assign(**scores))


def write_study(study: MalignancyStudy, folder: Path) -> None:
    """Write methods.csv, cases.csv and summary.json, each whole."""
    write_csv(study.methods, folder / "methods.csv")
    write_csv(study.cases, folder / "cases.csv")
    write_json(folder / "summary.json", study.summary)


def score_cases(cases: pd.DataFrame) -> dict[str, FloatArray]:
    """Return the scores (N,) of every method by name; stacks are cross-fitted over the subsets.

    A stack is fitted to the share of readers who rate a nodule 4 or 5, which says more than the label.
    A stack needs two subsets, and values for every case: others are left out. The networks of other folds, whose
    ratings a stack learns from, saw the judged subset; the stack's own weights did not.
    """
    scores = {BASELINE: cases["diameter_mm"].to_numpy(dtype=np.float64)}
    if "malignancy" in cases:
        scores[NETWORK] = cases["malignancy"].to_numpy(dtype=np.float64)
    parts = {"malignancy_expected": NETWORK, "high_malignancy": NETWORK, "measured_logit": "no network"}
    for name, kind in parts.items():
        if name in cases and cases[name].notna().all():
            scores[f"{kind}: {name}"] = cases[name].to_numpy(dtype=np.float64)
    for name, columns in STACKS.items():
        if not {*columns} <= {*cases} or cases["subset"].nunique() < 2:
            continue
        values = cases[list(columns)].to_numpy(dtype=np.float64)
        if np.isfinite(values).all():
            scores[f"stack: {name}"] = cross_fit(cases["high_share"], values, cases["subset"])
    return scores


def compare_methods(
    cases: pd.DataFrame, scores: dict[str, FloatArray], *, num_bootstraps: int, seed: int
) -> pd.DataFrame:
    """Return the AUC of every method and its gain over the diameter, with 95 % intervals, over all and clear nodules.

    Patients are drawn whole, the same for all methods. Columns: nodules (all, clear), method, num_nodules,
    num_malignant, auc, auc_low, auc_high, gain, gain_low, gain_high, p_value.
    """
    rows = []
    for name, is_in in (("all", np.ones(len(cases), dtype=bool)), ("clear", cases["is_clear"].to_numpy(dtype=bool))):
        labels = cases["label"].to_numpy(dtype=np.float64)[is_in]
        patients = cases["patient_id"].to_numpy()[is_in].tolist()
        if len(np.unique(labels)) < 2:
            continue
        samples = {
            method: auc_samples(labels, values[is_in], num_bootstraps, np.random.default_rng(seed), groups=patients)
            for method, values in scores.items()
        }
        figures = {method: auc(labels, values[is_in]) for method, values in scores.items()}
        for method in scores:
            gain = compare(samples[BASELINE], samples[method], figures[method] - figures[BASELINE])
            low, high = (float(value) for value in interval(samples[method]))
            rows.append(
                {
                    "nodules": name,
                    "method": method,
                    "num_nodules": len(labels),
                    "num_malignant": int(labels.sum()),
                    "auc": figures[method],
                    "auc_low": low,
                    "auc_high": high,
                    "gain": gain.difference,
                    "gain_low": gain.low,
                    "gain_high": gain.high,
                    "p_value": gain.p_value,
                }
            )
    return pd.DataFrame(rows)
