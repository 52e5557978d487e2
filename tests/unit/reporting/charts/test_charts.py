"""What the charts show: curves, points, intervals and the numbers of cases."""

import numpy as np
import pytest

from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.froc import FP_RATES, Froc
from lungpipe.evaluation.proportions import wilson
from lungpipe.reporting.charts.diameter import draw_by_diameter
from lungpipe.reporting.charts.froc import FrocLine, draw_froc_lines
from lungpipe.reporting.charts.ranking import Score, draw_calibration, draw_roc
from lungpipe.reporting.charts.svg import new_figure
from lungpipe.reporting.style import BLUE, VERMILION

CURVE = Froc(np.array([0.0, 0.1, 4.0]), np.array([0.0, 0.5, 0.9]), np.array([np.inf, 0.9, 0.1]))
BAND = np.stack([np.full(len(BAND_RATES), 0.3), np.full(len(BAND_RATES), 0.95)], axis=1)


@pytest.fixture
def axes():
    return new_figure()[1]


def lines_of(axes, style="-"):
    return [line for line in axes.lines if line.get_linestyle() == style and len(line.get_xdata()) > 2]


def test_the_points_are_the_seven_official_rates(axes):
    draw_froc_lines(axes, [FrocLine("a", CURVE, BLUE, BAND)])
    [points] = [line for line in axes.lines if line.get_marker() == "o"]
    assert points.get_xdata().tolist() == list(FP_RATES)
    assert points.get_ydata()[-1] == 0.9
    assert len(axes.collections) == 1


def test_the_band_of_a_dashed_line_is_two_edges(axes):
    draw_froc_lines(axes, [FrocLine("a", CURVE, VERMILION, BAND, "--")])
    edges = [line.get_ydata() for line in axes.lines if line.get_linestyle() == ":"]
    assert [set(np.asarray(edge)) for edge in edges] == [{0.3}, {0.95}]
    assert len(axes.collections) == 0


def test_a_roc_curve_has_its_auc_in_the_legend_and_a_score_with_gaps_is_left_out(axes):
    labels = [1, 0, 1, 0]
    draw_roc(axes, labels, [Score("model", [0.8, 0.1, 0.4, 0.5]), Score("diameter", [9.0, np.nan, 4.0, 5.0])])
    assert axes.get_legend_handles_labels()[1] == ["model, AUC 0.750"]


def test_one_class_has_no_curve(axes):
    draw_roc(axes, [1, 1], [Score("model", [0.8, 0.1])])
    assert axes.get_legend_handles_labels()[1] == []


def test_a_bin_of_calibration_has_its_count_and_interval(axes):
    draw_calibration(axes, [1, 1, 1, 0, 0], [0.72, 0.74, 0.78, 0.76, 0.11], share="share")
    [points] = [line for line in axes.lines if line.get_marker() == "o"]
    assert points.get_xdata() == pytest.approx([0.11, 0.75])
    assert points.get_ydata() == pytest.approx([0.0, 0.75])
    assert [text.get_text() for text in axes.texts] == ["1", "4"]
    [(_, low), (_, high)] = axes.collections[0].get_segments()[1]
    assert (low, high) == pytest.approx([float(bound) for bound in wilson(0.75, 4)])


def test_classes_of_diameter_state_their_numbers(axes):
    strata = [
        {"name": "< 6 mm", "num_nodules": 4, "sensitivity": {"0.125": 0.25, "1": 0.5, "8": 0.75}},
        {"name": ">= 6 mm", "num_nodules": 9, "sensitivity": {"0.125": 1.0, "1": 1.0, "8": 1.0}},
    ]
    draw_by_diameter(axes, strata)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["< 6 mm\nn = 4", ">= 6 mm\nn = 9"]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.25, 1.0], [0.5, 1.0], [0.75, 1.0]]
