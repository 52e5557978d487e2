"""The training loop of every network: AdamW, validation (checks), best weights kept, a resume file per check."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lungpipe.sampling.batch import Batch
from lungpipe.sampling.feed import Feed
from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.distributed import processes, sum_over_processes, wait_for_all
from lungpipe.training.ema import MovingAverage
from lungpipe.training.hard_negatives import Mining, from_state, join_positions, to_state
from lungpipe.training.objective import Objective
from lungpipe.training.optimiser import build_optimiser
from lungpipe.training.resume import keep_batch, load_resume, save_resume
from lungpipe.training.run import Outcome, TrainingRun
from lungpipe.training.schedule import check_steps, learning_rate
from lungpipe.training.speed import Speedometer
from lungpipe.training.step import TrainingStep
from lungpipe.training.validation import fetch, validate


def fit(
    network: nn.Module,
    feeds: tuple[Feed, Feed],
    objective: Objective,
    training: TrainingSettings,
    *,
    run: TrainingRun,
) -> Outcome:
    """Train in place on `feeds` = (training, validation); the network ends with the best check's weights.

    Several processes of torchrun train one network together: each uses its rows of every batch, and the process of rank
    0 writes and logs. The caller deletes the resume file after writing the outputs.

    Raises:
        FloatingPointError: a loss, a gradient or a score is not finite. The message names the step and its series; the
            batch is kept beside the resume file.
        ValueError: a batch that the processes cannot share evenly.
        RuntimeError: the device has too little memory; the message names the settings to lower.
    """
    with memory_advice(training, run):
        trainer = Trainer(network, feeds, objective, training, run=run)
        trainer.run_to_end()
    return trainer.outcome


class Trainer:
    """State of one training: network, average, optimiser, and the results of its checks."""

    def __init__(
        self,
        network: nn.Module,
        feeds: tuple[Feed, Feed],
        objective: Objective,
        training: TrainingSettings,
        *,
        run: TrainingRun,
    ) -> None:
        if training.batch_size % processes().world_size:
            found = f"{training.batch_size} for {processes().world_size} processes"
            raise ValueError(f"training.batch_size: expected a multiple of the number of processes, found {found}")
        if run.kept_step is not None and run.kept_step not in check_steps(training):
            raise ValueError(f"kept step: expected one of {check_steps(training)}, found {run.kept_step}")
        self.network, self.feeds, self.objective, self.training, self.run = network, feeds, objective, training, run
        run.hardware.place(network)
        self.optimiser = build_optimiser(network, training)
        self.average = MovingAverage(network, training.ema_decay)
        sizes = (run.patch_size_vox, run.seed)
        self.step = TrainingStep(network, objective, training, run.hardware, patch_and_seed=sizes)
        self.speed = Speedometer(run.hardware.device)
        self.outcome, self.best = Outcome(), self._copy_of_average()
        self.num_taken = 0
        self.hard = join_positions([])
        self._restore()

    def run_to_end(self) -> None:
        """Take the remaining steps with their checks, and load the best weights into the network."""
        last = self.run.kept_step or self.training.num_steps
        # a search changes what is drawn, so no batch of a later step may be cut before it
        searches = () if self.run.mining is None else self.run.mining.steps
        for stop in sorted({*(step for step in searches if step < last), last}):
            self._run_to(stop)
        self.network.load_state_dict(self.best)
        self.network.eval()

    def _run_to(self, stop: int) -> None:
        feed, checks = self.feeds[0], frozenset(check_steps(self.training))
        pending: list[Tensor] = []
        self.speed.start(feed.waited_seconds)
        for batch in feed.stream(self.num_taken, stop):
            pending.append(self._take(batch))
            if self.num_taken in checks:
                self.speed.stop(feed.waited_seconds)
                self._check(torch.stack(pending))
                pending.clear()
                self.speed.start(feed.waited_seconds)

    def _take(self, batch: Batch) -> Tensor:
        """Take one step; return its loss and gradient norm (2,), on the device."""
        self.optimiser.set_learning_rate(learning_rate(self.num_taken, self.training))
        figures = self.step.take(batch, self.num_taken, self.optimiser)
        self.num_taken += 1
        self.average.update(self.num_taken)
        return figures

    def _check(self, figures: Tensor) -> None:
        """Validate, log, keep the weights if they are the best, and write the resume file.

        All figures are copied from the device in one transfer, the only one since the last check.
        """
        figures[:, 0] = sum_over_processes(figures[:, 0])
        sizes = (self.training.micro_batch_size or self.training.batch_size, self.run.patch_size_vox)
        totals = validate(self.average.network, self.feeds[1], self.objective, self.run.hardware, sizes=sizes)
        figures, totals = fetch(figures, totals)
        self._refuse_broken_step(figures)
        summary = self.objective.summary(totals)
        if not math.isfinite(summary["score"]):
            raise FloatingPointError(f"step {self.num_taken}: expected a finite score, found {summary['score']}")
        metrics = summary | {
            "training_loss": float(figures[:, 0].mean()),
            "gradient_norm": float(figures[:, 1].mean()),
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
        }
        self.outcome.rows += [(self.num_taken, name, value) for name, value in metrics.items()]
        if self._is_kept(summary["score"]):
            self.outcome.best_step, self.outcome.best_score = self.num_taken, summary["score"]
            self.best = self._copy_of_average()
        if self.run.mining is not None and self.num_taken in self.run.mining.steps:
            metrics |= self._mine(self.run.mining)
        if processes().is_first:
            self.run.log(self.num_taken, metrics | self.speed.metrics(len(figures) * self.training.batch_size))
            self._save()
        wait_for_all()

    def _mine(self, mining: Mining) -> dict[str, float]:
        """Add the average network's false positives in the training volumes to the feed; return their number."""
        began = time.perf_counter()
        found = mining.add_to(self.feeds[0], self.average.network)
        self.hard = join_positions([self.hard, found])
        figures = {"num_hard_negatives": float(len(self.hard))}
        self.outcome.rows += [(self.num_taken, name, value) for name, value in figures.items()]
        return figures | {"mining_seconds": time.perf_counter() - began}

    def _is_kept(self, score: float) -> bool:
        if self.run.kept_step is not None:
            return self.num_taken == self.run.kept_step
        return score > self.outcome.best_score

    def _refuse_broken_step(self, figures: Tensor) -> None:
        """Raise FloatingPointError for the first step since the last check whose loss or gradient is not finite."""
        broken = (~figures.isfinite()).any(dim=1).nonzero().flatten().tolist()
        if not broken:
            return
        index = self.num_taken - len(figures) + broken[0]
        batch = self.feeds[0].batch(index)
        loss, norm = figures[broken[0]].tolist()
        message = f"step {index + 1}: expected a finite loss and gradient, found loss {loss} and gradient norm {norm}"
        message += f"; series of the batch: {', '.join(dict.fromkeys(batch.series))}"
        if self.run.resume_path is not None:
            name = f"{self.run.resume_path.stem}_step{index + 1}_process{processes().rank}.safetensors"
            path = self.run.resume_path.with_name(name)
            keep_batch(path, batch, index + 1)
            message += f"; the batch is kept in {path}"
        raise FloatingPointError(message)

    def _copy_of_average(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.average.network.state_dict().items()}

    def _save(self) -> None:
        if self.run.resume_path is None:
            return
        state = {
            "num_taken": self.num_taken,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "hard_negatives": to_state(self.hard),
            "outcome": (self.outcome.best_step, self.outcome.best_score, self.outcome.rows),
        }
        save_resume(self.run.resume_path, state, self.run.identity)

    def _restore(self) -> None:
        """Continue from the resume file, if there is one of this training."""
        path = self.run.resume_path
        state = None if path is None else load_resume(path, self.run.identity, self.run.say)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, tensor in state["best"].items():
            self.best[name].copy_(tensor)
        self.num_taken = state["num_taken"]
        self.hard = from_state(state["hard_negatives"])
        self.feeds[0].add_hard(self.hard)
        self.outcome = Outcome(*state["outcome"])
        self.run.say(f"{path}: the training goes on after step {self.num_taken} of {self.training.num_steps}")


@contextmanager
def memory_advice(training: TrainingSettings, run: TrainingRun) -> Iterator[None]:
    """Turn torch's error of too little memory into a RuntimeError that names the settings to lower."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        size = training.micro_batch_size or training.batch_size
        raise RuntimeError(
            f"{run.hardware.device}: expected memory for {size} patches of {run.patch_size_vox}^3 voxels at once, "
            f"found too little; set training.micro_batch_size below {size} (the result stays the same but for batch "
            "normalisation), or lower training.batch_size or sampling.patch_size_vox"
        ) from error
