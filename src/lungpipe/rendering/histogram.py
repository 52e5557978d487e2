"""The histogram of a chest's HU with Otsu's threshold between its two humps, and the opacity that follows."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lungpipe.rendering.transfer import HISTOGRAM_HU, Transfer, count_hu
from lungpipe.tables import replacing

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#6B6B6B"


def draw_histogram(hu: NDArray[np.int16], transfer: Transfer, path: Path) -> None:
    """Draw the share of voxels by HU, and the transfer function's opacity on a second axis, as PNG."""
    counts, middles = count_hu(hu)
    figure = Figure(figsize=(7.0, 3.6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(middles, 100.0 * counts / counts.sum(), color=BLUE, alpha=0.35, linewidth=0)
    axes.set(xlim=HISTOGRAM_HU, xlabel="HU", ylabel="voxels, %")
    axes.set_ylim(bottom=0.0)
    axes.set_title(f"HU in the box of the lungs, n = {counts.sum():,} voxels", loc="left", fontsize=10)
    second = axes.twinx()
    second.plot(middles, transfer.opacity_at(middles), color=VERMILION, linewidth=1.6)
    second.set_ylim(0.0, 1.05)
    second.set_ylabel(f"opacity, {transfer.name}", color=VERMILION)
    if transfer.threshold_hu is not None:
        axes.axvline(transfer.threshold_hu, color=GREY, linewidth=1.0, linestyle="--")
        place = (transfer.threshold_hu - 12.0, 0.97)
        text = f"Otsu's threshold\n{transfer.threshold_hu:.0f} HU"
        axes.text(*place, text, transform=axes.get_xaxis_transform(), ha="right", va="top", fontsize=9)
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
