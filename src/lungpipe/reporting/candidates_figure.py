"""A montage of findings from the stored volumes: axial patches in the lung window, a circle around each finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from lungpipe.geometry import window_around
from lungpipe.reporting.examples import Example, Examples
from lungpipe.reporting.style import GREEN, GREY, ORANGE, PAGE_WIDTH_INCH, PURPLE, save_png
from lungpipe.reporting.views import LUNG_WINDOW_HU
from lungpipe.volumes.store import open_volume

PATCH_MM = 48.0

_TITLES = {
    "hits": ("Hits", "highest probability first; circle: annotated diameter", GREEN),
    "misses": ("Missed nodules", "largest first; circle: annotated diameter", ORANGE),
    "false_positives": ("False positives", "highest probability first; circle: the candidate's diameter", PURPLE),
}


@dataclass(frozen=True, slots=True)
class AxialPatch:
    """HU (y, x) of one slice and its edges in mm from the finding: left, right, bottom, top, as imshow takes them."""

    hu: NDArray[np.int16]
    extent_mm: tuple[float, float, float, float]


def draw_candidates(examples: Sequence[Examples], stores: Mapping[str, Path], num_columns: int, path: Path) -> None:
    """Draw a titled row of patches per kind of finding as PNG; `stores` are the volumes by series UID.

    The view is from the feet, as usual in radiology: the patient's left is on the right. A finding whose scan has no
    volume is an empty panel with a note.
    """
    # a kind without findings is its title alone
    heights = [PAGE_WIDTH_INCH / num_columns + 0.45 if kind.shown else 0.35 for kind in examples]
    figure = Figure(figsize=(PAGE_WIDTH_INCH, sum(heights)), layout="constrained")
    rows = figure.subfigures(len(examples), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, kind in zip(rows, examples, strict=True):
        _draw_row(row, kind, stores, num_columns)
    save_png(figure, path)


def read_axial_patch(store: Path, example: Example) -> AxialPatch:
    """Read the slice nearest to a finding, PATCH_MM wide; black outside the volume."""
    volume = open_volume(store, example.series_uid)
    _, step_y, step_x = volume.grid.spacing_zyx_mm
    shape = (1, round(PATCH_MM / step_y), round(PATCH_MM / step_x))
    window = window_around(volume.grid.to_index(example.center_zyx_mm), shape)
    first = volume.grid.to_world(window.start_zyx_vox) - np.asarray(example.center_zyx_mm)
    top, left = float(first[1]) - step_y / 2, float(first[2]) - step_x / 2
    extent = (left, left + shape[2] * step_x, top + shape[1] * step_y, top)
    return AxialPatch(volume.read_hu(window, fill=LUNG_WINDOW_HU[0])[0], extent)


def _draw_row(row: SubFigure, kind: Examples, stores: Mapping[str, Path], num_columns: int) -> None:
    title, order, colour = _TITLES[kind.kind]
    count = f"{len(kind.shown)} of {kind.num_all}" if kind.num_all else "none"
    row.suptitle(f"{title}: {count}" + (f" ({order})" if kind.shown else ""), x=0.01, ha="left", fontsize=9.5)
    if not kind.shown:
        return
    panels = row.subplots(1, num_columns, squeeze=False)[0]
    for panel in panels:
        panel.set_axis_off()
    for panel, example in zip(panels, kind.shown, strict=False):
        _draw_patch(panel, example, stores.get(example.series_uid), colour)
        panel.set_title(_caption(example), fontsize=8.0, loc="center", pad=2.5)


def _draw_patch(panel: Axes, example: Example, store: Path | None, colour: str) -> None:
    half = PATCH_MM / 2
    panel.set(xlim=(-half, half), ylim=(half, -half), aspect="equal")
    if store is None:
        panel.text(0, 0, "scan without\na volume", ha="center", va="center", fontsize=8.0, color=GREY)
        return
    patch = read_axial_patch(store, example)
    low, high = LUNG_WINDOW_HU
    panel.imshow(patch.hu, cmap="gray", vmin=low, vmax=high, extent=patch.extent_mm, interpolation="nearest")
    panel.set(xlim=(-half, half), ylim=(half, -half))
    if not example.diameter_mm > 0:
        return  # a given candidate has no diameter
    for width, shade in (
        (2.6, "black"),
        (1.3, colour),
    ):  # a dark rim, so that the circle is visible on bright tissue too
        panel.add_patch(Circle((0, 0), example.diameter_mm / 2, fill=False, linewidth=width, edgecolor=shade))


def _caption(example: Example) -> str:
    found = "" if example.probability is None else f"p {example.probability:.2f}, "
    return f"{found}{example.diameter_mm:.1f} mm" if example.diameter_mm > 0 else found.removesuffix(", ")
