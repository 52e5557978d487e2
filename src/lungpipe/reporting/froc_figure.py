"""The FROC curve with its confidence band, false positives per scan on a logarithmic axis."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.froc import FP_RATES, Froc, cpm, sensitivity_at
from lungpipe.tables import replacing

_RATE_LABELS = ("1/8", "1/4", "1/2", "1", "2", "4", "8")


def draw_froc(froc: Froc, band: NDArray[np.float64], path: Path) -> None:
    """Draw a curve as PNG; `band` holds lower and upper sensitivity (len(BAND_RATES), 2), NaN where there is none."""
    figure = Figure(figsize=(7.0, 5.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    if np.isfinite(band).any():
        axes.fill_between(BAND_RATES, band[:, 0], band[:, 1], alpha=0.2, linewidth=0, label="95 % interval")
    rates = np.geomspace(FP_RATES[0], FP_RATES[-1], 500)
    axes.plot(rates, sensitivity_at(froc, rates), linewidth=1.5, label=f"CPM {cpm(froc):.4f}")
    axes.plot(FP_RATES, sensitivity_at(froc), "o", markersize=4, color="C0")
    axes.set_xscale("log", base=2)
    axes.set_xticks(FP_RATES, _RATE_LABELS)
    axes.set(xlim=(FP_RATES[0], FP_RATES[-1]), ylim=(0.0, 1.0))
    axes.set(xlabel="false positives per scan", ylabel="sensitivity", title="FROC, official LUNA16 rules")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    with replacing(Path(path)) as temporary:
        # the version of the library is left out, so that equal curves are equal files
        figure.savefig(temporary, format="png", metadata={"Software": None})
