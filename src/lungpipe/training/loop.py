"""The one training loop: one-cycle AdamW, checks on the validation subset, the best check kept."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from lungpipe.models import Hardware
from lungpipe.settings.recipe import TrainingSettings
from lungpipe.tables import HISTORY

Log = Callable[[int, Mapping[str, float]], None]
"""Receives (steps taken, metrics): how a loop reports without knowing who listens."""

GRADIENT_LIMIT = 5.0
WARM_UP = 0.22
"""Share of the steps in which the learning rate rises; OneCycleLR divides by zero where 1 / share is the steps."""


class Task(Protocol):
    """What the loop trains: draws a loss, and measures on validation."""

    def loss(self) -> Tensor:
        """Draw one batch and return its loss, graph attached."""

    def check(self) -> dict[str, float]:
        """Measure on the validation subset; `score` (higher is better) must be among the metrics."""


@dataclass(slots=True)
class Fit:
    """The outcome: the step whose weights were kept, its score, and every metric logged (HISTORY contract)."""

    best_step: int = 0
    best_score: float = -float("inf")
    rows: list[tuple[int, str, float]] = field(default_factory=list)

    @property
    def history(self) -> pd.DataFrame:
        """Return the metrics as a table."""
        return HISTORY.conform(pd.DataFrame(self.rows, columns=["step", "metric", "value"]))


def fit(network: nn.Module, task: Task, settings: TrainingSettings, *, hardware: Hardware, log: Log) -> Fit:
    """Train in place and leave the network with the weights of its best validation check.

    Raises:
        FloatingPointError: the loss, or the score of a check, is not finite; the message names the step.
    """
    network.to(hardware.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.num_steps, pct_start=WARM_UP
    )
    outcome, best_weights, losses = Fit(), copy.deepcopy(network.state_dict()), []
    checks = {round(settings.num_steps * (check + 1) / settings.num_checks) for check in range(settings.num_checks)}
    for step in range(1, settings.num_steps + 1):
        network.train()
        loss = task.loss()
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError(f"step {step}: expected a finite loss, found {loss.item()}")
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step in checks:
            network.eval()
            metrics = task.check() | {
                "training_loss": float(torch.stack(losses).mean()),
                "learning_rate": float(schedule.get_last_lr()[0]),
            }
            if not math.isfinite(metrics["score"]):
                raise FloatingPointError(f"step {step}: expected a finite score, found {metrics['score']}")
            losses.clear()
            log(step, metrics)
            outcome.rows += [(step, name, value) for name, value in metrics.items()]
            if metrics["score"] > outcome.best_score:
                outcome.best_step, outcome.best_score = step, metrics["score"]
                best_weights = copy.deepcopy(network.state_dict())
    network.load_state_dict(best_weights)
    network.eval()
    return outcome
