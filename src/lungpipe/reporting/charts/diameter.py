"""Sensitivity by classes of diameter."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lungpipe.evaluation.proportions import wilson
from lungpipe.reporting.style import BLUE, GREEN, ORANGE

SHOWN_RATES = {"0.125": ("1/8", ORANGE), "1": ("1", BLUE), "8": ("8", GREEN)}
"""The official rates of false positives per scan that are drawn, with their label and colour."""
LEGEND_TITLE = "false positives per scan"


def draw_by_diameter(axes: Axes, strata: Sequence[Mapping[str, Any]]) -> None:
    """Draw the sensitivity of each class at three rates of false positives, with 95 % score intervals.

    `strata` are those of evaluation.json; the number of nodules stands below the name of each class.
    """
    places = np.arange(len(strata))
    counts = np.array([part["num_nodules"] for part in strata])
    for shift, (rate, (label, colour)) in zip((-0.2, 0.0, 0.2), SHOWN_RATES.items(), strict=True):
        values = np.array([part["sensitivity"][rate] for part in strata], dtype=np.float64)
        low, high = wilson(values, counts)
        axes.vlines(places + shift, low, high, color=colour, linewidth=1.6, alpha=0.6)
        axes.plot(places + shift, values, "o", color=colour, markersize=6.5, label=label, clip_on=False, zorder=3)
    names = [f"{part['name']}\nn = {part['num_nodules']}" for part in strata]
    axes.set_xticks(places, names)
    axes.set(ylim=(0.0, 1.02), yticks=np.linspace(0.0, 1.0, 6), xlim=(-0.5, len(strata) - 0.5))
    axes.set(ylabel="sensitivity", xlabel="annotated diameter")
    axes.grid(axis="y")
