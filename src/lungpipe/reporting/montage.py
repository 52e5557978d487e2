"""A montage: many images side by side in one HU window."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lungpipe.reporting.views import LUNG_WINDOW_HU
from lungpipe.tables import replacing


@dataclass(frozen=True, slots=True)
class Panel:
    """One image (rows, columns) in HU, its title, and the height of a row in units of a column's width."""

    image_hu: NDArray[np.generic]
    title: str = ""
    row_height: float = 1.0


def draw_montage(
    panels: Sequence[Panel], path: Path, *, num_columns: int, window_hu: tuple[int, int] = LUNG_WINDOW_HU
) -> None:
    """Draw panels row by row into one PNG; raises ValueError without panels."""
    if not panels:
        raise ValueError(f"{path}: expected at least one panel, found none")
    num_rows = -(-len(panels) // num_columns)
    figure = Figure(figsize=(1.6 * num_columns, 1.75 * num_rows), layout="constrained", facecolor="black")
    low, high = window_hu
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(num_rows, num_columns, place)
        axes.imshow(panel.image_hu, cmap="gray", vmin=low, vmax=high, aspect=panel.row_height)
        axes.set_title(panel.title, fontsize=7, color="white", pad=2)
        axes.set_axis_off()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=80, metadata={"Software": None})
