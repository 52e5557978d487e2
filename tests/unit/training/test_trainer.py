"""The trainer: what it learns, keeps, logs, and when it stops."""

import math

import pytest
import torch
from ball_parts import ball_detector
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from lungpipe.models import Hardware, build_network, choose_hardware
from lungpipe.sampling.feed import Feed
from lungpipe.settings import ComputeSettings
from lungpipe.tables import HISTORY
from lungpipe.training.members import TrainingJob, build_objective, feed_plan, open_feeds
from lungpipe.training.run import Outcome, TrainingRun
from lungpipe.training.trainer import Trainer, fit

SPACING = (1.0, 1.0, 1.0)


@pytest.fixture
def prepare(ball_scans, cpu, request):
    """Make everything that `fit` takes; the last item is the list of what was logged."""

    def make(part=None, hardware=cpu, seed=3, **run):
        part = part or ball_detector()
        heard = []
        job = TrainingJob(hardware, seed=seed, log=lambda step, metrics: heard.append((step, dict(metrics))))
        feeds = open_feeds(ball_scans, feed_plan(part, job, SPACING))
        request.addfinalizer(lambda: [feed.close() for feed in feeds])
        torch.manual_seed(seed)
        network = build_network(part.network)
        arguments = TrainingRun(hardware, 16, seed, job.log, **run)
        return [network, feeds, build_objective(part), part.training, arguments], heard

    return make


def weights_of(network):
    return save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})


class Scores:
    """An objective that gives the next of some scores at every check, and otherwise is another objective."""

    def __init__(self, objective, scores):
        self.objective, self.scores = objective, iter(scores)
        self.counts, self.loss, self.measure = objective.counts, objective.loss, objective.measure

    def summary(self, totals):
        return self.objective.summary(totals) | {"score": next(self.scores)}


def test_it_finds_balls_that_it_never_saw(prepare, hardware):
    training = {"num_steps": 60, "num_checks": 3, "batch_size": 8}
    arguments, heard = prepare(
        ball_detector({"kind": "unet", "channels": [8, 12], "stem_stride": 1}, **training), hardware
    )
    outcome = fit(*arguments[:4], run=arguments[4])
    dice = outcome.history.query("metric == 'validation_dice'").set_index("step")["value"]
    assert dice[outcome.best_step] > 0.7
    assert heard[-1][1]["training_loss"] < 0.3 * heard[0][1]["training_loss"]
    assert not arguments[0].training


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_seed_gives_the_same_bytes_and_another_does_not(prepare, cpu, dtype):
    found = []
    for seed in (5, 5, 6):
        arguments, _ = prepare(ball_detector(num_steps=4), Hardware(cpu.device, dtype), seed=seed)
        history = fit(*arguments[:4], run=arguments[4]).history
        found.append((weights_of(arguments[0]), history))
    assert found[0][0] == found[1][0]
    assert found[0][1].equals(found[1][1])
    assert found[0][0] != found[2][0]


@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_average_of_the_best_check_is_kept(prepare, best):
    scores = [0.1, 0.2, 0.15, 0.05]
    scores[best] = 0.9
    arguments, _ = prepare()
    arguments[2] = Scores(arguments[2], scores)
    trainer, averages = Trainer(*arguments[:4], run=arguments[4]), {}
    check = trainer._check

    def remember(figures):
        averages[trainer.num_taken] = weights_of(trainer.average.network)
        check(figures)

    trainer._check = remember
    trainer.run_to_end()
    assert (trainer.outcome.best_step, trainer.outcome.best_score) == (2 * (best + 1), 0.9)
    assert len(set(averages.values())) == 4
    assert weights_of(arguments[0]) == averages[2 * (best + 1)]
    assert not arguments[0].training


def test_the_average_is_no_copy_of_the_weights(prepare):
    arguments, _ = prepare(ball_detector(ema_decay=0.99))
    trainer = Trainer(*arguments[:4], run=arguments[4])
    trainer.run_to_end()
    last = {name: value.clone() for name, value in trainer.average.network.named_parameters()}
    arguments, _ = prepare(ball_detector(ema_decay=0.0))
    other = Trainer(*arguments[:4], run=arguments[4])
    other.run_to_end()
    assert any(not value.equal(last[name]) for name, value in other.average.network.named_parameters())


def test_of_equal_checks_the_first_is_kept(prepare):
    arguments, _ = prepare()
    arguments[2] = Scores(arguments[2], [0.1, 0.5, 0.5, 0.5])
    assert fit(*arguments[:4], run=arguments[4]).best_step == 4


def test_every_step_has_the_rate_of_the_schedule(prepare, monkeypatch):
    from lungpipe.training.schedule import learning_rate

    arguments, _ = prepare()
    trainer, rates = Trainer(*arguments[:4], run=arguments[4]), []
    take = trainer.step.take

    def remember(batch, index, optimiser):
        rates.append([group["lr"] for group in optimiser.param_groups])
        return take(batch, index, optimiser)

    monkeypatch.setattr(trainer.step, "take", remember)
    trainer.run_to_end()
    expected = [learning_rate(index, arguments[3]) for index in range(8)]
    assert len(set(expected)) > 4
    assert rates == [[rate] * 2 for rate in expected]


def test_what_is_logged_is_the_history_and_the_speed(prepare):
    arguments, heard = prepare(ball_detector(num_checks=2))
    history = fit(*arguments[:4], run=arguments[4]).history
    assert list(history.columns) == list(HISTORY.columns)
    speed = {"samples_per_second", "data_wait_fraction", "memory_mib", "device_utilisation"}
    learned = {"score", "validation_dice", "validation_loss", "training_loss", "gradient_norm", "learning_rate"}
    assert [step for step, _ in heard] == [4, 8]
    assert set(heard[0][1]) == speed | learned
    logged = {(step, name): value for step, metrics in heard for name, value in metrics.items() if name in learned}
    assert {(row.step, row.metric): row.value for row in history.itertuples()} == logged


def test_the_training_loss_of_a_check_is_the_mean_since_the_last(prepare):
    arguments, heard = prepare(ball_detector(num_steps=6, num_checks=3))
    trainer, losses = Trainer(*arguments[:4], run=arguments[4]), []
    take = trainer._take

    def remember(batch):
        figures = take(batch)
        losses.append(figures[0].item())
        return figures

    trainer._take = remember
    trainer.run_to_end()
    means = [sum(losses[first : first + 2]) / 2 for first in (0, 2, 4)]
    assert [metrics["training_loss"] for _, metrics in heard] == pytest.approx(means, rel=1e-6)
    assert len(set(means)) == 3


def test_a_check_reads_from_the_device_once(prepare, hardware, monkeypatch):
    arguments, _ = prepare(hardware=hardware)
    copies = []
    original = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: copies.append(self.shape) or original(self))
    fit(*arguments[:4], run=arguments[4])
    assert len(copies) == 4


def broken(arguments, at):
    """Make the loss of one step no number."""
    objective, calls = arguments[2], []
    loss = objective.loss

    def break_loss(outputs, patches, counts=None):
        calls.append(1)
        value = loss(outputs, patches, counts)
        return value * math.nan if len(calls) == at else value

    objective.loss = break_loss


def test_a_loss_that_is_not_finite_stops_with_step_series_and_batch(prepare, tmp_path):
    arguments, heard = prepare(resume_path=tmp_path / "resume.pt")
    broken(arguments, 3)
    batch = arguments[1][0].batch(2)
    with pytest.raises(
        FloatingPointError, match="step 3: expected a finite loss and gradient, found loss nan"
    ) as error:
        fit(*arguments[:4], run=arguments[4])
    assert [step for step, _ in heard] == [2]
    assert all(uid in str(error.value) for uid in batch.series)
    path = tmp_path / "resume_step3_process0.safetensors"
    assert str(path) in str(error.value)
    kept = load_file(path)
    assert kept["hu_BZYX"].equal(batch.hu_BZYX)
    assert kept["draws.symmetry"].equal(batch.draws["symmetry"])
    with safe_open(path, framework="pt") as stream:
        assert stream.metadata() == {"step": "3", "series": " ".join(batch.series)}


def test_without_a_resume_path_nothing_is_written(prepare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, _ = prepare()
    broken(arguments, 1)
    with pytest.raises(FloatingPointError, match="step 1"):
        fit(*arguments[:4], run=arguments[4])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_stops_too(prepare, score):
    arguments, _ = prepare()
    arguments[2] = Scores(arguments[2], [0.5, score])
    with pytest.raises(FloatingPointError, match="step 4: expected a finite score, found"):
        fit(*arguments[:4], run=arguments[4])


class TooLarge(nn.Linear):
    """A network for which no memory is left."""

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, hu_BCZYX):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


@pytest.mark.parametrize(("micro", "size"), [(None, 4), (2, 2)])
def test_too_little_memory_gives_advice(prepare, micro, size):
    arguments, _ = prepare(ball_detector(micro_batch_size=micro))
    arguments[0] = TooLarge()
    message = rf"cpu: expected memory for {size} patches of 16\^3 voxels.*micro_batch_size below {size}"
    with pytest.raises(RuntimeError, match=message) as error:
        fit(*arguments[:4], run=arguments[4])
    assert isinstance(error.value.__cause__, torch.OutOfMemoryError)


@pytest.mark.gpu
def test_a_batch_that_no_gpu_holds_gives_advice(prepare):
    hardware = choose_hardware(ComputeSettings(device="cuda", precision="float32"), 1)
    arguments, _ = prepare(hardware=hardware)

    class Greedy(nn.Linear):
        def forward(self, hu_BCZYX):
            return torch.empty(2**50, device=hu_BCZYX.device)

    arguments[0] = Greedy(1, 1)
    with pytest.raises(RuntimeError, match="micro_batch_size"):
        fit(*arguments[:4], run=arguments[4])


def test_a_history_without_checks_is_empty():
    assert len(Outcome().history) == 0


def test_the_feed_is_asked_for_the_steps_that_are_left(prepare, monkeypatch):
    asked = []
    original = Feed.stream
    monkeypatch.setattr(
        Feed, "stream", lambda self, first, last: asked.append((first, last)) or original(self, first, last)
    )
    arguments, _ = prepare()
    fit(*arguments[:4], run=arguments[4])
    assert asked == [(0, 8)]


def test_a_kept_step_ends_the_training_with_the_weights_of_that_check(prepare):
    part = ball_detector(num_steps=6, num_checks=3)
    (network, feeds, objective, training, run), _ = prepare(part, kept_step=4)
    # the first check is better, and is not kept
    outcome = fit(network, feeds, Scores(objective, [0.9, 0.5]), training, run=run)
    assert (outcome.best_step, outcome.best_score) == (4, 0.5)
    assert sorted({step for step, _, _ in outcome.rows}) == [2, 4]
    (other, feeds, objective, training, run), _ = prepare(part)
    trainer = Trainer(other, feeds, objective, training, run=run)
    for batch in feeds[0].stream(0, 4):
        trainer._take(batch)
    assert weights_of(network) == weights_of(trainer.average.network)


def test_a_kept_step_without_a_check_is_refused(prepare):
    (network, feeds, objective, training, run), _ = prepare(ball_detector(num_steps=6, num_checks=3), kept_step=5)
    with pytest.raises(ValueError, match=r"kept step: expected one of .*2, 4, 6.*, found 5"):
        fit(network, feeds, objective, training, run=run)
