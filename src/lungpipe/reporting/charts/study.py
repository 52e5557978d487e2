"""All charts of a study's report, in the order of the page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungpipe.evaluation.bootstrap import bootstrap_froc, interval
from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.froc import cpm, froc_curve
from lungpipe.evaluation.stored_matches import read_matches, without_exclusions
from lungpipe.evaluation.strata import only_scans
from lungpipe.reporting.charts.diameter import LEGEND_TITLE, draw_by_diameter
from lungpipe.reporting.charts.froc import FrocLine, draw_froc_lines
from lungpipe.reporting.charts.questions import draw_malignancy, draw_nodules, draw_patients
from lungpipe.reporting.charts.svg import WIDE_INCH, Chart, Drawn, legend_below, new_figure, to_svg
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.style import BLUE, INK, LINE_STYLES, VERMILION
from lungpipe.reporting.training_figure import Histories, draw_legend, draw_metric, shown_metrics
from lungpipe.reporting.wording import label_rule
from lungpipe.terms import counted


@dataclass(frozen=True, slots=True)
class ChartInputs:
    """The content of the charts: the evaluation, every network's histories, and the rule of malignancy labels."""

    stored: StoredEvaluation
    histories: Histories
    malignancy_rule: str


def draw_charts(inputs: ChartInputs) -> list[Chart]:
    """Return all charts that the study has figures for; call within `house_style`."""
    stored = inputs.stored
    charts = [
        _froc(stored),
        *_folds(stored),
        *_diameters(stored.summary),
        *draw_nodules(stored),
        *draw_malignancy(stored, label_rule(inputs.malignancy_rule)),
        *draw_patients(stored.patients, label_rule(inputs.malignancy_rule)),
        *_training(inputs.histories),
    ]
    return [Chart(name, section, caption, to_svg(figure, name)) for name, section, caption, figure in charts]


def _froc(stored: StoredEvaluation) -> Drawn:
    """Return the curve by the official rules beside the curve without the exclusion list."""
    summary = stored.summary
    open_matches = without_exclusions(read_matches(stored.matches, list(stored.subset_of)))
    bootstrap = summary["bootstrap"]
    samples = bootstrap_froc(
        open_matches, bootstrap["num_samples"], np.random.default_rng(bootstrap["seed"]), BAND_RATES
    )
    plain = froc_curve(open_matches)
    lines = [
        FrocLine(f"official rules, CPM {cpm(stored.froc):.3f}", stored.froc, BLUE, stored.band),
        FrocLine(f"without the exclusion list, CPM {cpm(plain):.3f}", plain, VERMILION, interval(samples).T, "--"),
    ]
    figure, axes = new_figure(WIDE_INCH)
    draw_froc_lines(axes, lines)
    legend_below(axes, num_columns=1)
    num_on = summary["ignored_on_excluded"]
    caption = (
        f"FROC curve of all folds together. n = {counted(summary['num_nodules'], 'nodule')} in "
        f"{counted(summary['num_scans'], 'scan')}. The area and the dotted lines are 95 % bootstrap intervals over "
        "scans; the points are the seven rates whose mean sensitivity is the CPM. Without the exclusion list "
        f"{counted(num_on, 'mark')} on excluded findings would count as false positives."
    )
    return "froc", "detection", caption, figure


def _folds(stored: StoredEvaluation) -> Iterator[Drawn]:
    """Yield the curve of every fold beside the curve of all folds; nothing for one fold."""
    subsets = np.array(list(stored.subset_of.values()))
    folds = sorted(set(subsets.tolist()))
    if len(folds) < 2:
        return
    matches = read_matches(stored.matches, list(stored.subset_of))
    lines = [FrocLine(f"all folds, CPM {cpm(stored.froc):.3f}", stored.froc, INK, None, "-", 2.4)]
    for (colour, dashes), fold in zip(LINE_STYLES * len(folds), folds, strict=False):
        part = only_scans(matches, subsets == fold)
        curve = froc_curve(part)
        text = (
            f"fold {fold}, CPM {cpm(curve):.3f}, n = {part.num_nodules}" if part.num_nodules else f"fold {fold}, n = 0"
        )
        lines.append(FrocLine(text, curve, colour, None, dashes))
    figure, axes = new_figure((WIDE_INCH[0], WIDE_INCH[1] + 0.18 * (len(lines) // 2)))
    draw_froc_lines(axes, lines)
    legend_below(axes)
    sizes = ", ".join(f"fold {fold}: {counted(int((subsets == fold).sum()), 'scan')}" for fold in folds)
    caption = f"FROC curve of every fold. n is the number of nodules; {sizes}."
    yield "froc-folds", "detection", caption, figure


def _diameters(summary: dict[str, Any]) -> Iterator[Drawn]:
    strata = summary["strata"].get("diameter") or []
    if strata:
        figure, axes = new_figure(WIDE_INCH)
        draw_by_diameter(axes, strata)
        legend_below(axes, num_columns=3, title=LEGEND_TITLE)
        caption = (
            f"Sensitivity by annotated diameter. n = {counted(summary['num_nodules'], 'nodule')} in "
            f"{counted(summary['num_scans'], 'scan')}. The lines are 95 % score intervals of each share alone."
        )
        yield "diameter", "groups", caption, figure


def _training(histories: Histories) -> Iterator[Drawn]:
    """Yield a chart for every network and metric, a line per fold, and the legend of all."""
    folds = sorted({fold for by_fold in histories.values() for fold in by_fold})
    if folds:
        yield "training-legend", "training", "", draw_legend(folds)
    for network, by_fold in histories.items():
        for metric in shown_metrics(by_fold):
            figure, axes = new_figure((3.4, 2.4))
            draw_metric(axes, by_fold, metric)
            caption = f"{network.capitalize()}: {axes.get_title(loc='left')}. n = {counted(len(by_fold), 'fold')}."
            axes.set_title("")
            yield f"training-{network}-{metric.replace('_', '-')}", f"training-{network}", caption, figure
