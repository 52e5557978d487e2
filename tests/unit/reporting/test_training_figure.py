from itertools import pairwise

import pandas as pd
import pytest
from PIL import Image

from lungpipe.reporting.style import LINE_STYLES, house_style
from lungpipe.reporting.training_figure import draw_training, kept_step, shown_metrics, training_figure


def history(**values):
    """A history of metrics, each a list of values at steps 10, 20, ..."""
    rows = [(10 * (i + 1), name, value) for name, line in values.items() for i, value in enumerate(line)]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])


def test_the_kept_step_is_the_first_of_the_highest_score_as_in_the_training_loop():
    assert kept_step(history(score=[0.1, 0.5, 0.5, 0.2])) == 20
    assert kept_step(history(score=[float("nan"), 0.5])) == 20
    assert kept_step(history(training_loss=[1.0, 0.5])) is None


def test_losses_come_first_and_score_and_learning_rate_are_left_out():
    one = history(score=[1.0], validation_dice=[0.4], validation_loss=[2.0], training_loss=[3.0], learning_rate=[0.1])
    other = history(validation_nodule_auc=[0.9])
    found = shown_metrics({0: one, 1: other})
    assert found == ["training_loss", "validation_loss", "validation_dice", "validation_nodule_auc"]


def test_ten_folds_are_ten_different_lines():
    assert len(set(LINE_STYLES)) >= 10


@pytest.mark.parametrize("num_networks", [1, 2])
def test_the_figure_grows_by_a_row_a_network(tmp_path, num_networks):
    by_fold = {fold: history(score=[1.0, 2.0], training_loss=[1.0, 0.5]) for fold in range(10)}
    with house_style():
        draw_training({f"network{i}": by_fold for i in range(num_networks)}, tmp_path / "training.png")
    width, height = Image.open(tmp_path / "training.png").size
    assert (width, height) == (1600, round(200 * (2.15 * num_networks + 0.4)))


def test_titles_of_many_metrics_are_whole_and_apart():
    names = ("dice", "heatmap_loss", "offset_loss", "diameter_loss", "peak_precision")
    metrics = {"training_loss": [3.0, 2.0]} | {f"validation_{name}": [0.1, 0.2] for name in ("loss", *names)}
    with house_style():
        figure = training_figure({"detector": {0: history(score=[1.0, 2.0], **metrics)}})
        figure.draw_without_rendering()
    panels = [panel for panel in figure.subfigs[0].axes if panel.axison]
    assert len(panels) == 7
    for row in (panels[:4], panels[4:]):
        # with ticks and titles
        boxes = [panel.get_tightbbox() for panel in row]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
        assert boxes[-1].x1 < figure.bbox.x1


def test_a_line_is_drawn_in_the_colour_of_its_fold(tmp_path):
    with house_style():
        draw_training({"detector": {0: history(score=[1.0, 2.0], training_loss=[1.0, 0.5])}}, tmp_path / "t.png")
    pixels = {colour for _, colour in Image.open(tmp_path / "t.png").convert("RGB").getcolors(1 << 24)}
    assert (0x00, 0x72, 0xB2) in pixels
    assert (0xE6, 0x9F, 0x00) not in pixels
