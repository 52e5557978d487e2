"""The learning rate, and after which steps a training is checked."""

import math

import pytest

from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.schedule import check_steps, learning_rate


def settings(num_steps, num_checks=1, warmup_fraction=0.2):
    return TrainingSettings(
        num_steps=num_steps, batch_size=1, learning_rate=0.1, num_checks=num_checks, warmup_fraction=warmup_fraction
    )


def test_the_rate_rises_in_a_line_and_falls_by_half_a_cosine():
    rates = [learning_rate(index, settings(10)) for index in range(10)]
    falling = [0.05 * (1 + math.cos(math.pi * k / 8)) for k in range(8)]
    assert rates == pytest.approx([0.05, 0.1, *falling])
    assert rates[6] == pytest.approx(0.05)


def test_without_warm_up_the_first_step_has_the_peak_rate():
    assert learning_rate(0, settings(5, warmup_fraction=0.0)) == pytest.approx(0.1)


@pytest.mark.parametrize("num_steps", range(1, 21))
@pytest.mark.parametrize("warmup_fraction", [0.0, 0.1, 0.5, 1.0])
def test_every_rate_of_any_training_is_positive_and_at_most_the_peak(num_steps, warmup_fraction):
    rates = [learning_rate(index, settings(num_steps, 1, warmup_fraction)) for index in range(num_steps)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("num_steps", "num_checks", "expected"),
    [(40, 4, [10, 20, 30, 40]), (10, 3, [3, 7, 10]), (3, 6, [1, 2, 3]), (1, 1, [1]), (50, 6, [8, 17, 25, 33, 42, 50])],
)
def test_checks_are_spread_evenly_and_the_last_step_is_one(num_steps, num_checks, expected):
    assert list(check_steps(settings(num_steps, num_checks))) == expected
