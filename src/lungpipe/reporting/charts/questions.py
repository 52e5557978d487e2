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

    `asked` and `n` are the question and the numbers of its cases in the captions. `calibrated` has the words of the
    chart of calibration; None: the question has no such chart.
    """

    name: str
    section: str
    asked: str
    n: str
    labels: NDArray[np.float64]
    probabilities: pd.Series
    diameters_mm: pd.Series
    calibrated: "Calibrated | None" = None

    def charts(self) -> Iterator[Drawn]:
        """Yield the ROC curves and the calibration; nothing without cases of both labels."""
        if not 0 < self.labels.sum() < len(self.labels):
            return
        figure, axes = new_figure()
        scores = [Score("model", self.probabilities), Score("diameter alone", self.diameters_mm, VERMILION, "--")]
        draw_roc(axes, self.labels, scores)
        legend_below(axes, num_columns=1)
        yield f"{self.name}-roc", self.section, f"{self.asked}. {self.n}.", figure
        if self.calibrated is not None:
            yield self._calibration(self.calibrated)

    def _calibration(self, words: "Calibrated") -> Drawn:
        figure, axes = new_figure()
        draw_calibration(axes, self.labels, self.probabilities, share=f"share of {words.positives}")
        caption = (
            f"Calibration of the {words.probability}. {self.n}. Each point is a bin of probability with its number of "
            f"{words.cases} and 95 % interval. On the dotted line, probabilities are shares."
        )
        return f"{self.name}-calibration", self.section, caption, figure


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The words of a chart of calibration: the probability, all cases, and the cases of label 1."""

    probability: str
    cases: str
    positives: str


def draw_nodules(stored: StoredEvaluation) -> Iterator[Drawn]:
    """Yield the charts of nodule or not over the candidates; nothing without both hits and false positives."""
    marks = stored.matches[(stored.matches["kind"] == "mark") & stored.matches["fate"].isin(["hit", "false_positive"])]
    labels = (marks["fate"] == "hit").to_numpy(dtype=np.float64)
    yield from Question(
        name="nodule",
        section="ranking",
        asked="Nodule or not, over the candidates",
        n=f"n = {counted(int(labels.sum()), 'hit')} and {counted(int((labels == 0).sum()), 'false positive')}",
        labels=labels,
        probabilities=marks["probability"],
        diameters_mm=marks["diameter_mm"],
        calibrated=Calibrated("nodule probability", "candidates", "hits"),
    ).charts()


def draw_malignancy(stored: StoredEvaluation, rule: str) -> Iterator[Drawn]:
    """Yield the charts of malignant or not over the nodules that were hit; `rule` names the labels in words."""
    known = stored.hits[stored.hits["malignancy_label"].notna() & stored.hits["malignancy"].notna()]
    labels = known["malignancy_label"].to_numpy(dtype=np.float64)
    yield from Question(
        name="malignancy",
        section="malignancy",
        asked="Malignant nodule or not",
        n=f"n = {counted(len(labels), 'hit nodule')} with a label, {int(labels.sum())} of them malignant ({rule})",
        labels=labels,
        probabilities=known["malignancy"],
        diameters_mm=known["diameter_mm"],
        calibrated=Calibrated("malignancy of nodules", "nodules", "malignant nodules"),
    ).charts()


def draw_patients(patients: pd.DataFrame, rule: str) -> Iterator[Drawn]:
    """Yield the chart of malignant or not over the patients (table PATIENTS); `rule` names the labels in words."""
    known = patients[patients["is_malignant"].notna() & patients["malignancy"].notna()]
    labels = known["is_malignant"].to_numpy(dtype=np.float64)
    yield from Question(
        name="patient",
        section="malignancy",
        asked="Malignant patient or not",
        n=f"n = {counted(len(labels), 'patient')}, {int(labels.sum())} with a malignant nodule ({rule})",
        labels=labels,
        probabilities=known["malignancy"],
        diameters_mm=known["diameter_max_mm"],
    ).charts()
