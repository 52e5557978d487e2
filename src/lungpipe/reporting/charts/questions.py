"""Charts of the yes-or-no questions of a study: nodule or not, malignant nodule or not, malignant patient or not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.reporting.charts.ranking import Score, draw_calibration, draw_roc
from lungpipe.reporting.charts.svg import Drawn, legend_below, new_figure
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.style import VERMILION
from lungpipe.terms import counted


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question with the answers yes (1) and no (0) over cases, and what the model and the diameter say to each case.

    `n` counts the cases. `cases` and `positives` name all cases and those of label 1 in the chart of calibration.
    """

    name: str
    section: str
    asked: str
    n: str
    labels: NDArray[np.float64]
    probabilities: pd.Series
    diameters_mm: pd.Series
    cases: str
    positives: str

    @property
    def is_defined(self) -> bool:
        """Whether there are cases of both labels."""
        return bool(0 < self.labels.sum() < len(self.labels))

    def roc(self) -> Drawn:
        """Return the ROC curves of model and diameter."""
        figure, axes = new_figure()
        scores = [Score("model", self.probabilities), Score("diameter alone", self.diameters_mm, VERMILION, "--")]
        draw_roc(axes, self.labels, scores)
        legend_below(axes, num_columns=1)
        return f"{self.name}-roc", self.section, f"{self.asked}. {self.n}.", figure

    def calibration(self, probability: str) -> Drawn:
        """Return the calibration of the model's probability, named in the caption."""
        figure, axes = new_figure()
        draw_calibration(axes, self.labels, self.probabilities, share=f"share of {self.positives}")
        caption = (
            f"Calibration of the {probability}. {self.n}. Each point is a bin of probability with its number of "
            f"{self.cases} and 95 % interval. On the dotted line, probabilities are shares."
        )
        return f"{self.name}-calibration", self.section, caption, figure


def draw_nodules(stored: StoredEvaluation) -> Iterator[Drawn]:
    """Yield the charts of nodule or not over the candidates; nothing without both hits and false positives."""
    marks = stored.matches[(stored.matches["kind"] == "mark") & stored.matches["fate"].isin(["hit", "false_positive"])]
    labels = (marks["fate"] == "hit").to_numpy(dtype=np.float64)
    n = f"n = {counted(int(labels.sum()), 'hit')} and {counted(int((labels == 0).sum()), 'false positive')}"
    question = Question(
        "nodule",
        "ranking",
        "Nodule or not, over the candidates",
        n,
        labels,
        marks["probability"],
        marks["diameter_mm"],
        cases="candidates",
        positives="hits",
    )
    if question.is_defined:
        yield question.roc()
        yield question.calibration("nodule probability")


def draw_malignancy(stored: StoredEvaluation, rule: str) -> Iterator[Drawn]:
    """Yield the charts of malignant or not over the nodules that were hit; `rule` names the labels in words."""
    known = stored.hits[stored.hits["malignancy_label"].notna() & stored.hits["malignancy"].notna()]
    labels = known["malignancy_label"].to_numpy(dtype=np.float64)
    question = Question(
        "malignancy",
        "malignancy",
        "Malignant nodule or not",
        f"n = {counted(len(labels), 'hit nodule')} with a label, {int(labels.sum())} of them malignant ({rule})",
        labels,
        known["malignancy"],
        known["diameter_mm"],
        cases="nodules",
        positives="malignant nodules",
    )
    if question.is_defined:
        yield question.roc()
        yield question.calibration("malignancy of nodules")


def draw_patients(patients: pd.DataFrame, rule: str) -> Iterator[Drawn]:
    """Yield the chart of malignant or not over the patients (table PATIENTS); `rule` names the labels in words."""
    known = patients[patients["is_malignant"].notna() & patients["malignancy"].notna()]
    labels = known["is_malignant"].to_numpy(dtype=np.float64)
    question = Question(
        "patient",
        "malignancy",
        "Malignant patient or not",
        f"n = {counted(len(labels), 'patient')}, {int(labels.sum())} with a malignant nodule ({rule})",
        labels,
        known["malignancy"],
        known["diameter_max_mm"],
        cases="patients",
        positives="malignant patients",
    )
    if question.is_defined:
        yield question.roc()
