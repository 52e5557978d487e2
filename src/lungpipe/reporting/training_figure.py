"""Training as small multiples: rows per network, a panel per metric, a line per fold."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lungpipe.reporting.style import INK, LINE_STYLES, PAGE_WIDTH_INCH, Dashes, save_png
from lungpipe.terms import counted

Histories = Mapping[str, Mapping[int, pd.DataFrame]]
"""Name of the network, then fold, to its history (HISTORY contract)."""

_LOSSES = ("training_loss", "validation_loss")
_KEPT: dict[str, Any] = {"marker": "o", "markersize": 5.5, "markerfacecolor": "white", "markeredgewidth": 1.4}
_ROW_INCH, _LEGEND_INCH = 2.15, 0.4
_MOST_COLUMNS = 4
"""Panels beside each other; the titles of more would touch."""


def draw_training(histories: Histories, path: Path) -> None:
    """Draw losses and validation metrics over optimiser steps as PNG, the kept step of every fold as a ring."""
    save_png(training_figure(histories), path)


def training_figure(histories: Histories) -> Figure:
    """Return the figure of `draw_training`: up to four panels beside each other, the legend below."""
    metrics = {network: shown_metrics(by_fold) for network, by_fold in histories.items()}
    num_columns = max([1, *(min(len(names), _MOST_COLUMNS) for names in metrics.values())])
    num_rows = [max(1, -(-len(names) // num_columns)) for names in metrics.values()]
    heights = [*(_ROW_INCH * num for num in num_rows), _LEGEND_INCH]
    figure = Figure(figsize=(PAGE_WIDTH_INCH, sum(heights)), layout="constrained")
    *parts, foot = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, network, num in zip(parts, histories, num_rows, strict=True):
        title = f"{network.capitalize()}, n = {counted(len(histories[network]), 'fold')} (metrics: validation subset)"
        part.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        panels = part.subplots(num, num_columns, squeeze=False).ravel()
        for panel, metric in zip_longest(panels, metrics[network]):
            draw_metric(panel, histories[network], metric)
    folds = sorted({fold for by_fold in histories.values() for fold in by_fold})
    foot.legend(handles=_legend(folds), loc="center", ncols=min(6, len(folds) + 1))
    return figure


def shown_metrics(by_fold: Mapping[int, pd.DataFrame]) -> list[str]:
    """Return the metrics to draw: both losses, then all other validation metrics, in order of appearance."""
    logged = list(dict.fromkeys(name for history in by_fold.values() for name in history["metric"]))
    others = [name for name in logged if name.startswith("validation_") and name not in _LOSSES]
    return [name for name in _LOSSES if name in logged] + others


def kept_step(history: pd.DataFrame) -> int | None:
    """Return the step whose weights were kept: the first of the highest score; None if no score was logged."""
    scores = history[history["metric"] == "score"].sort_values("step", kind="stable")
    return None if scores["value"].isna().all() else int(scores.loc[scores["value"].idxmax(), "step"])


def draw_metric(panel: Axes, by_fold: Mapping[int, pd.DataFrame], metric: str | None) -> None:
    """Draw one metric over optimiser steps, a line per fold, a ring at its kept step; None leaves the panel empty."""
    if metric is None:
        panel.set_axis_off()
        return
    for place, fold in enumerate(sorted(by_fold)):
        history = by_fold[fold]
        line = history[history["metric"] == metric].sort_values("step")
        colour, dashes = _line_style(place)
        panel.plot(line["step"], line["value"], color=colour, linestyle=dashes, linewidth=1.3)
        kept = line[line["step"] == kept_step(history)]
        panel.plot(kept["step"], kept["value"], color=colour, linestyle="none", zorder=3, clip_on=False, **_KEPT)
    if metric.endswith("_loss"):
        panel.set_ylim(bottom=0.0)
    else:
        panel.set_ylim(top=1.0)
    panel.set_xlim(left=0)
    panel.set(xlabel="step", title=_title(metric))
    panel.grid()


def draw_legend(folds: Sequence[int]) -> Figure:
    """Return a figure of the lines' legend alone."""
    columns = min(6, len(folds) + 1)
    figure = Figure(figsize=(6.8, 0.3 * -(-(len(folds) + 1) // columns)))
    figure.legend(handles=_legend(folds), loc="center left", ncols=columns, borderaxespad=0.0)
    return figure


def _title(metric: str) -> str:
    short = metric if metric in _LOSSES else metric.removeprefix("validation_")
    return short.replace("_", " ").replace("auc", "AUC").replace("dice", "Dice")


def _legend(folds: Sequence[int]) -> list[Line2D]:
    styles = [_line_style(place) for place in range(len(folds))]
    lines = [
        Line2D([], [], color=colour, linestyle=dashes, label=f"fold {fold}")
        for fold, (colour, dashes) in zip(folds, styles, strict=True)
    ]
    return [*lines, Line2D([], [], color=INK, linestyle="none", label="kept step", **_KEPT)]


def _line_style(place: int) -> tuple[str, Dashes]:
    return LINE_STYLES[place % len(LINE_STYLES)]
