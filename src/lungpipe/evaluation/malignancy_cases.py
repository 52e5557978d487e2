"""The annotated nodules of a malignancy study, each once, with the values that stacks learn from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungpipe.evaluation.labels import malignancy_labels, share_of_high
from lungpipe.settings.study import MalignancyRule
from lungpipe.tables import CENTER_COLUMNS, CHARACTERISTICS, RATING_COLUMNS, parse_ratings


@dataclass(frozen=True, slots=True, eq=False)
class MalignancyTables:
    """Tables of a dataset: series, nodules, ratings, measures, and what the networks of all folds rated, if any did."""

    series: pd.DataFrame
    nodules: pd.DataFrame
    ratings: pd.DataFrame
    measures: pd.DataFrame
    rated: pd.DataFrame | None = None


def list_cases(tables: MalignancyTables, rule: MalignancyRule) -> pd.DataFrame:
    """Return the nodules with a label that were measured (and rated, if any were), each once, with all values.

    A nodule that two scans of a patient show at the same world position (crops that overlap) counts once, in the scan
    where its centre is farther from the border. `is_clear`: the readers' median is at most 2, or at least 4.
    """
    cases = tables.nodules.merge(tables.series, on="series_uid")
    cases = cases.merge(tables.measures, on="nodule_id")
    cases = cases.merge(tables.ratings.drop(columns=RATING_COLUMNS["malignancy"]), on="nodule_id")
    if tables.rated is not None:
        cases = cases.merge(tables.rated, on="nodule_id")
    cases["label"] = malignancy_labels(cases["malignancy_ratings"], rule)
    cases = cases[cases["label"].notna()]
    places = cases[list(CENTER_COLUMNS)].round(2).assign(patient_id=cases["patient_id"])
    farthest = cases.assign(place=places.astype(str).agg(" ".join, axis=1)).sort_values("border_mm", ascending=False)
    cases = farthest.drop_duplicates("place").drop(columns="place").sort_values("nodule_id", ignore_index=True)
    median = cases["malignancy_ratings"].map(lambda text: float(np.median(parse_ratings(text))))
    derived = {
        "is_clear": (median <= 2) | (median >= 4),
        "high_share": [share_of_high(text) for text in cases["malignancy_ratings"]],
    }
    if tables.rated is not None:
        probability = cases["malignancy"].clip(1e-6, 1 - 1e-6)
        derived["logit"] = np.log(probability / (1.0 - probability))
    for name in CHARACTERISTICS:
        texts = cases[RATING_COLUMNS[name]]
        derived[f"{name}_mean"] = [float(np.mean(parse_ratings(t))) if isinstance(t, str) else np.nan for t in texts]
    return cases.assign(**derived)
