"""FROC curves: sensitivity over false positives per scan, on a logarithmic axis from 1/8 to 8."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.froc import FP_RATES, Froc, sensitivity_at
from lungpipe.reporting.style import Dashes

RATE_LABELS = ("1/8", "1/4", "1/2", "1", "2", "4", "8")


@dataclass(frozen=True, slots=True, eq=False)
class FrocLine:
    """A curve with its label and look.

    `band` (len(BAND_RATES), 2) holds lower and upper sensitivity, or is None. The band of a dashed line is drawn as its
    two edges, so that the areas of two bands do not mix.
    """

    label: str
    froc: Froc
    colour: str
    band: NDArray[np.float64] | None = None
    dashes: Dashes = "-"
    width: float = 1.6


def draw_froc_lines(axes: Axes, lines: Sequence[FrocLine]) -> None:
    """Draw curves with their bands; a curve without nodules stays empty.

    Points on a solid line with a band mark the seven official rates.
    """
    rates = np.geomspace(FP_RATES[0], FP_RATES[-1], 300)
    for line in lines:
        if line.band is not None and np.isfinite(line.band).any():
            _draw_band(axes, line, line.band)
        values = sensitivity_at(line.froc, rates)
        axes.plot(
            rates, values, color=line.colour, linestyle=line.dashes, linewidth=line.width, label=line.label, zorder=3
        )
        if line.band is not None and line.dashes == "-":
            official = sensitivity_at(line.froc)
            axes.plot(FP_RATES, official, "o", markersize=4, color=line.colour, clip_on=False, zorder=4)
    axes.set_xscale("log", base=2)
    axes.set_xticks(FP_RATES, RATE_LABELS)
    axes.set(xlim=(FP_RATES[0], FP_RATES[-1]), ylim=(0.0, 1.02), yticks=np.linspace(0.0, 1.0, 6))
    axes.set(xlabel="false positives per scan", ylabel="sensitivity")
    axes.grid()


def _draw_band(axes: Axes, line: FrocLine, band: NDArray[np.float64]) -> None:
    if line.dashes == "-":
        axes.fill_between(BAND_RATES, band[:, 0], band[:, 1], color=line.colour, alpha=0.16, linewidth=0)
        return
    for edge in band.T:
        axes.plot(BAND_RATES, edge, color=line.colour, linestyle=":", linewidth=1.0, alpha=0.9)
