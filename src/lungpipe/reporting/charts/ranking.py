"""ROC curves and calibration of probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lungpipe.evaluation.calibration import calibration_curve
from lungpipe.evaluation.proportions import wilson
from lungpipe.evaluation.ranking import auc, roc_curve
from lungpipe.reporting.style import BLUE, GREY, Dashes


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A score of labelled cases (values (N,), missing ones NaN) with its label and look."""

    label: str
    values: ArrayLike
    colour: str = BLUE
    dashes: Dashes = "-"


def draw_roc(axes: Axes, labels: ArrayLike, scores: Sequence[Score]) -> None:
    """Draw the ROC curve of every score of the same cases, its AUC in the legend; labels (N,) are 0 or 1.

    A score that is missing for a case has no curve: its cases would not be those of the other curves.
    """
    axes.plot((0, 1), (0, 1), color=GREY, linestyle=":", linewidth=1.0)
    for score in scores:
        values = np.asarray(score.values, dtype=np.float64)
        if not len(values) or not np.isfinite(values).all():
            continue
        x, y = roc_curve(labels, values)
        if len(x):
            text = f"{score.label}, AUC {auc(labels, values):.3f}"
            axes.plot(x, y, color=score.colour, linestyle=score.dashes, linewidth=1.7, label=text, clip_on=False)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    _square(axes)


def draw_calibration(axes: Axes, labels: ArrayLike, probabilities: ArrayLike, *, share: str) -> None:
    """Draw the share of positives over the mean probability in ten bins, with 95 % intervals; n beside each point.

    `share` names the positives on the axis.
    """
    axes.plot((0, 1), (0, 1), color=GREY, linestyle=":", linewidth=1.0)
    bins = calibration_curve(labels, probabilities)
    x = np.array([part.mean_probability for part in bins])
    y = np.array([part.share_positive for part in bins])
    low, high = wilson(y, [part.num_cases for part in bins])
    axes.vlines(x, low, high, color=BLUE, linewidth=1.2, alpha=0.7)
    axes.plot(x, y, "o-", color=BLUE, markersize=4.5, linewidth=1.0, clip_on=False, zorder=3)
    for part, top in zip(bins, high, strict=True):
        is_low = top < 0.93
        axes.annotate(
            f"{part.num_cases}",
            (part.mean_probability, top),
            # a number in the middle would cross the axis, and one close above the point itself would touch it
            xytext=((0, 3) if part.mean_probability > 0.04 else (2, 6)) if is_low else (4, -2),
            textcoords="offset points",
            ha="center" if is_low and part.mean_probability > 0.04 else "left",
            va="bottom" if is_low else "top",
            fontsize=7.0,
            color=GREY,
        )
    axes.set(xlabel="probability of the model (mean of the bin)", ylabel=share)
    _square(axes)


def _square(axes: Axes) -> None:
    ticks = np.linspace(0.0, 1.0, 6)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=ticks, yticks=ticks, aspect="equal")
    axes.grid()
