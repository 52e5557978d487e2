"""Malignancy of a nodule by measures of its HU and shape: a logistic regression that a scorer's card carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lungpipe.evaluation.normal_scores import NormalScores
from lungpipe.evaluation.stacking import LogisticWeights

FloatArray = NDArray[np.float64]
Finite = Annotated[float, Field(allow_inf_nan=False)]

NETWORK_SHARE = 0.2
"""Share of the networks' logit beside that of the measures (docs/decisions/0016)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMalignancy:
    """Logistic regression on normal scores of measures: names of the K values, their knots (K, N), weights (K).

    Data alone: how measures are made and fitted is not named here, so an edit of that retrains no detector.
    """

    values: tuple[str, ...]
    knots: tuple[tuple[Finite, ...], ...]
    weights: tuple[Finite, ...]
    intercept: Finite

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together; raises ValueError."""
        lengths = {len(self.values), len(self.knots), len(self.weights)}
        if len(lengths) != 1 or len({len(each) for each in self.knots}) != 1:
            raise ValueError(f"measured: expected knots and a weight for each of {len(self.values)} values")

    def logits(self, measures: Sequence[Mapping[str, float]]) -> FloatArray:
        """Return the logits (N,) of malignancy of N nodules.

        Raises:
            ValueError: a value that is not among the measures.
        """
        if not measures:
            return np.zeros(0)
        if missing := sorted({*self.values} - {*measures[0]}):
            raise ValueError(f"measured: expected the values {', '.join(measures[0])}, found {missing[0]}")
        table = np.array([[row[name] for name in self.values] for row in measures], dtype=np.float64)
        fitted = LogisticWeights(self.intercept, np.asarray(self.weights), NormalScores(np.asarray(self.knots)))
        return fitted.logits(table)
