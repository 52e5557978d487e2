"""The annotated nodules of a malignancy study, each once, with the values that stacks learn from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungpipe.evaluation.labels import malignancy_labels
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CENTER_COLUMNS, CHARACTERISTICS, RATING_COLUMNS, parse_ratings


@dataclass(frozen=True, slots=True, eq=False)
class MalignancyTables:
    """Tables of one dataset: series, nodules, ratings, and over all folds what networks rated and what was measured."""

    series: pd.DataFrame
    nodules: pd.DataFrame
    ratings: pd.DataFrame
    rated: pd.DataFrame
    measures: pd.DataFrame


def list_cases(tables: MalignancyTables, rule: MalignancyRule) -> pd.DataFrame:
    """Return the nodules with a label that were rated and measured, each once, with the values of all stacks.

    A nodule that two scans of a patient show at the same world position (crops that overlap) counts once, in the scan
    where its centre is farther from the border. `is_clear`: the readers' median is at most 2, or at least 4.
    """
    cases = tables.nodules.merge(tables.series, on="series_uid")
    for table in (tables.rated, tables.measures, tables.ratings.drop(columns=RATING_COLUMNS["malignancy"])):
        cases = cases.merge(table, on="nodule_id")
    cases["label"] = malignancy_labels(cases["malignancy_ratings"], rule)
    cases = cases[cases["label"].notna()]
    places = cases[list(CENTER_COLUMNS)].round(2).assign(patient_id=cases["patient_id"])
    farthest = cases.assign(place=places.astype(str).agg(" ".join, axis=1)).sort_values("border_mm", ascending=False)
    cases = farthest.drop_duplicates("place").drop(columns="place").sort_values("nodule_id", ignore_index=True)
    median = cases["malignancy_ratings"].map(lambda text: float(np.median(parse_ratings(text))))
    probability = cases["malignancy"].clip(1e-6, 1 - 1e-6)
    derived = {
        "is_clear": (median <= 2) | (median >= 4),
        "log_diameter": np.log(cases["diameter_mm"]),
        "logit": np.log(probability / (1.0 - probability)),
    }
    for name in CHARACTERISTICS:
        texts = cases[RATING_COLUMNS[name]]
        derived[f"{name}_mean"] = [float(np.mean(parse_ratings(t))) if isinstance(t, str) else np.nan for t in texts]
    return cases.assign(**derived)
