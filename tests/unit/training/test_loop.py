"""The loop: what it keeps, what it reports, and when it stops."""

import pytest
import torch

from lungpipe.settings.recipe import TrainingSettings
from lungpipe.tables import HISTORY
from lungpipe.training import Fit, fit


class Line:
    """Fits y = 3 x with one weight; every check gives the next of the given scores, or the negative error."""

    def __init__(self, network, scores=None, broken_at=None):
        self.network, self.scores, self.broken_at = network, scores, broken_at
        self.drawn, self.losses, self.weights_at_check, self.modes = 0, [], [], []

    def loss(self):
        self.drawn += 1
        self.modes.append(self.network.training)
        x = torch.tensor([[1.0], [2.0]])
        scale = float("nan") if self.drawn == self.broken_at else 1.0
        loss = scale * (self.network(x) - 3 * x).square().mean()
        self.losses.append(loss.item())
        return loss

    def check(self):
        self.modes.append(self.network.training)
        weight = self.network.weight.item()
        self.weights_at_check.append(weight)
        score = -abs(weight - 3) if self.scores is None else self.scores[len(self.weights_at_check) - 1]
        return {"score": score, "validation_error": abs(weight - 3)}


def settings(num_steps, num_checks=4, learning_rate=0.1):
    return TrainingSettings(num_steps=num_steps, batch_size=1, learning_rate=learning_rate, num_checks=num_checks)


def run(cpu, chosen, **task):
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 1, bias=False)
    line, heard = Line(network, **task), []
    return (
        line,
        heard,
        lambda: fit(network, line, chosen, hardware=cpu, log=lambda step, metrics: heard.append((step, dict(metrics)))),
    )


def test_it_learns(cpu):
    line, _, start = run(cpu, settings(200))
    outcome = start()
    assert line.network.weight.item() == pytest.approx(3, abs=0.05)
    assert outcome.best_score == pytest.approx(-abs(line.network.weight.item() - 3))


@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_weights_of_the_best_check_are_kept(cpu, best):
    scores = [0.1, 0.2, 0.15, 0.05]
    scores[best] = 0.9
    line, _, start = run(cpu, settings(40), scores=scores)
    outcome = start()
    assert line.network.weight.item() == line.weights_at_check[best]
    assert len(set(line.weights_at_check)) == 4
    assert (outcome.best_step, outcome.best_score) == (10 * (best + 1), 0.9)
    assert not line.network.training


def test_of_equal_checks_the_first_is_kept(cpu):
    _, _, start = run(cpu, settings(40), scores=[0.1, 0.5, 0.5, 0.5])
    assert start().best_step == 20


def test_training_and_checks_run_in_their_modes(cpu):
    line, _, start = run(cpu, settings(4, num_checks=2))
    start()
    assert line.modes == [True, True, False, True, True, False]


@pytest.mark.parametrize(
    ("num_steps", "num_checks", "expected"),
    [(40, 4, [10, 20, 30, 40]), (10, 3, [3, 7, 10]), (3, 6, [1, 2, 3]), (1, 1, [1]), (50, 6, [8, 17, 25, 33, 42, 50])],
)
def test_checks_are_spread_evenly_and_the_last_step_is_one(cpu, num_steps, num_checks, expected):
    _, heard, start = run(cpu, settings(num_steps, num_checks))
    start()
    assert [step for step, _ in heard] == expected


@pytest.mark.parametrize("num_steps", range(1, 21))
def test_any_number_of_steps_can_be_trained(cpu, num_steps):
    line, heard, start = run(cpu, settings(num_steps, num_checks=num_steps))
    start()
    rates = [metrics["learning_rate"] for _, metrics in heard]
    assert line.drawn == num_steps
    assert 0 < max(rates) <= 0.1 + 1e-9


def test_what_is_logged_is_the_history(cpu):
    _, heard, start = run(cpu, settings(8, num_checks=2))
    history = start().history
    assert list(history.columns) == list(HISTORY.columns)
    assert set(heard[0][1]) == {"score", "validation_error", "training_loss", "learning_rate"}
    told = {(step, name): value for step, metrics in heard for name, value in metrics.items()}
    assert {(row.step, row.metric): row.value for row in history.itertuples()} == told


def test_the_training_loss_of_a_check_is_the_mean_since_the_last(cpu):
    line, heard, start = run(cpu, settings(6, num_checks=3))
    start()
    means = [sum(line.losses[first : first + 2]) / 2 for first in (0, 2, 4)]
    assert [metrics["training_loss"] for _, metrics in heard] == pytest.approx(means)
    assert means[0] > 1.01 * means[1] > 1.01 * means[2]


def test_a_loss_that_is_not_finite_stops_at_its_step(cpu):
    line, _, start = run(cpu, settings(40), broken_at=7)
    with pytest.raises(FloatingPointError, match="step 7: expected a finite loss, found nan"):
        start()
    assert line.drawn == 7


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_stops_too(cpu, score):
    _, _, start = run(cpu, settings(40), scores=[0.5, score, 0.5, 0.5])
    with pytest.raises(FloatingPointError, match="step 20: expected a finite score"):
        start()


def test_a_fit_without_checks_has_an_empty_history():
    assert len(Fit().history) == 0
