"""Malignancy labels from the readers' ratings of a nodule; training and evaluation use the same rules."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.matching import Matches

if TYPE_CHECKING:
    from lungpipe.settings.study import MalignancyRule

HIGH_RATING = 4.0
RULES = ("at_least_two_readers_ge_4", "mean_gt_3", "median", "exclude_3")
"""What `malignancy_label` takes as a rule: the values of the setting of this name."""


def malignancy_label(ratings: str | None, rule: "MalignancyRule") -> float:
    """Return 1.0 (malignant), 0.0 (benign) or NaN (not known, or left out by the rule) from readers' ratings '4;5;3'.

    `at_least_two_readers_ge_4`: two readers rated 4 or 5 (a single reader cannot decide: NaN). `mean_gt_3` and
    `median`: their mean or median is above 3. `exclude_3`: the mean above 3, a mean of exactly 3 left out (Zhu et al.,
    DeepLung, WACV 2018).

    Raises:
        ValueError: ratings that are not numbers from 1 to 5 with ';' between, or an unknown rule.
    """
    if ratings is None or not ratings:
        return float("nan")
    if any(part.strip() not in {"1", "2", "3", "4", "5"} for part in ratings.split(";")):
        raise ValueError(f"malignancy_ratings: expected numbers from 1 to 5 with ';' between, found {ratings!r}")
    values = np.array([float(part) for part in ratings.split(";")])
    if rule == "at_least_two_readers_ge_4":
        return float((values >= 4).sum() >= 2) if len(values) > 1 else float("nan")
    if rule == "mean_gt_3":
        return float(values.mean() > 3)
    if rule == "median":
        return float(np.median(values) > 3)
    if rule == "exclude_3":
        return float("nan") if values.mean() == 3 else float(values.mean() > 3)
    raise ValueError(f"malignancy rule: expected one of {', '.join(RULES)}, found {rule!r}")


def malignancy_labels(ratings: Iterable[object], rule: "MalignancyRule") -> NDArray[np.float64]:
    """Return the label (see `malignancy_label`) of every entry of a column of ratings; NaN for a missing entry."""
    known = (text if isinstance(text, str) else None for text in ratings)
    return np.array([malignancy_label(text, rule) for text in known], dtype=np.float64)


def share_of_high(ratings: str) -> float:
    """Return the share of the readers who rated 4 or 5, of ratings '4;5;3'."""
    return float(np.mean([float(part) >= HIGH_RATING for part in ratings.split(";")]))


def hit_malignancy(
    matches: Matches, marks: pd.DataFrame, nodules: pd.DataFrame, rule: "MalignancyRule"
) -> pd.DataFrame:
    """Return the hit nodules: series_uid, malignancy (of the mark), malignancy_label, diameter_mm (annotated).

    `marks` and `nodules` are the tables that were matched, with the columns malignancy and malignancy_ratings.
    """
    hit = np.flatnonzero(matches.nodule_mark >= 0)
    found = nodules.iloc[hit]
    return pd.DataFrame(
        {
            "series_uid": found["series_uid"].to_numpy(),
            "malignancy": marks["malignancy"].to_numpy(dtype=np.float64)[matches.nodule_mark[hit]],
            "malignancy_label": malignancy_labels(found["malignancy_ratings"], rule),
            "diameter_mm": found["diameter_mm"].to_numpy(dtype=np.float64),
        }
    )
