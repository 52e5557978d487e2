"""The FROC curve with its confidence band as a PNG file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lungpipe.evaluation.froc import Froc, cpm
from lungpipe.reporting.charts.froc import FrocLine, draw_froc_lines
from lungpipe.reporting.charts.svg import legend_below
from lungpipe.reporting.style import BLUE
from lungpipe.tables import replacing
from lungpipe.terms import counted


def draw_froc(froc: Froc, band: NDArray[np.float64], path: Path, *, summary: Mapping[str, Any] | None = None) -> None:
    """Draw a curve as PNG; `band` holds lower and upper sensitivity (len(BAND_RATES), 2), NaN where there is none.

    `summary` (evaluation.json) gives the numbers of nodules and scans for the title.
    """
    figure = Figure(figsize=(7.0, 5.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    is_banded = bool(np.isfinite(band).any())
    label = f"CPM {cpm(froc):.4f}" + (", with 95 % interval" if is_banded else "")
    draw_froc_lines(axes, [FrocLine(label, froc, BLUE, band)])
    numbers = ""
    if summary is not None:
        scans = counted(summary["num_scans"], "scan")
        numbers = f": n = {counted(summary['num_nodules'], 'nodule')} in {scans}"
    axes.set_title(f"FROC, official LUNA16 rules{numbers}", loc="left")
    legend_below(axes)
    with replacing(Path(path)) as temporary:
        # the version of the library is left out, so that equal curves are equal files
        figure.savefig(temporary, format="png", metadata={"Software": None})
