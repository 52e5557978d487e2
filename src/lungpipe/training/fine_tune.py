"""Fine-tune the malignancy of a trained scorer: the last blocks and the dense layer that malignancy has for itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, cast

import numpy as np
from torch import Tensor, nn

from lungpipe.sampling.plan import FeedPlan
from lungpipe.settings.recipe import FineTuneSettings, TrainedScorer
from lungpipe.tables import POINTS
from lungpipe.training.malignancy_objective import MalignancyObjective
from lungpipe.training.members import Finish, Material, TrainingJob, identity_of, open_feeds, tuning_path
from lungpipe.training.run import Log, Outcome, TrainingRun
from lungpipe.training.step import seed_of
from lungpipe.training.trainer import fit

PREFIX = "tuning_"
"""Starts the names of a fine-tuning's metrics, except the AUC: a continued curve of one measure has one name."""
KEPT_NAMES = frozenset({"validation_malignancy_auc"})


class TunableNetwork(Protocol):
    """A network whose `tuned_parts` (names of modules) can be trained alone."""

    tuned_parts: tuple[str, ...]

    def start_tuning(self) -> None:
        """Prepare the weights of the tuned parts."""


class PartlyTrained(nn.Module):
    """A network of which only the named parts are in training mode; statistics and dropout elsewhere stand still."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, hu_BCZYX: Tensor) -> Mapping[str, Tensor]:
        """Return the network's logits by head."""
        return cast("Mapping[str, Tensor]", self.network(hu_BCZYX))

    def train(self, mode: bool = True) -> "PartlyTrained":
        """Set the mode of the named parts; the rest of the network is in evaluation mode."""
        self.training = mode
        self.network.eval()
        for name in self.names:
            self.network.get_submodule(name).train(mode)
        return self


def finisher(
    part: TrainedScorer, material: tuple[Material, Material], job: TrainingJob, plan: FeedPlan
) -> Finish | None:
    """Return the fine-tuning of a member (see `fine_tune`), or None for a recipe without fine-tuning."""
    settings = part.training.fine_tune
    return None if settings is None else partial(fine_tune, (part, settings), material, job, plan)


def fine_tune(
    settings: tuple[TrainedScorer, FineTuneSettings],
    material: tuple[Material, Material],
    job: TrainingJob,
    plan: FeedPlan,
    *,
    network: nn.Module,
    outcome: Outcome,
    member: int,
) -> None:
    """Train the malignancy parts of a trained member on rated nodules; append the metrics to `outcome`.

    The shared blocks and the nodule logits keep every bit: their weights are frozen, and their normalisation is in
    evaluation mode. Both malignancy labels have the same total weight. Fine-tuning of the last blocks: Stevens,
    Antiga and Viehmann, *Deep Learning with PyTorch*, ch. 14. Without rated nodules for training and validation
    nothing is trained, and a line says so.
    """
    part, chosen = settings
    rated = (rated_alone(material[0]), rated_alone(material[1]))
    if not all(len(side.points) for side in rated):
        numbers = " and ".join(str(len(side.points)) for side in rated)
        job.say(f"malignancy is not fine-tuned: {numbers} rated points for training and validation")
        return
    first = member * part.training.total_steps + part.training.num_steps
    changes = {"num_steps": part.training.num_tuning_steps, "learning_rate": chosen.learning_rate}
    seed = seed_of(job.member_seed(member), 1)
    run = TrainingRun(
        hardware=job.hardware,
        patch_size_vox=part.sampling.patch_size_vox,
        seed=seed,
        log=partial(_log_renamed, job.log, first),
        resume_path=tuning_path(job, member),
        identity=identity_of(part, job, seed),
        say=job.say,
        kept_step=None if job.choices is None else part.training.num_tuning_steps,
    )
    tunable = cast("TunableNetwork", network)
    tunable.start_tuning()
    feeds = open_feeds(rated, replace(plan, seed=seed, nodule_fraction=1.0, rest="all"))
    try:
        with only_trained(network, tunable.tuned_parts):
            partly = PartlyTrained(network, tunable.tuned_parts)
            found = fit(partly, feeds, MalignancyObjective(), part.training.model_copy(update=changes), run=run)
    finally:
        for feed in feeds:
            feed.close()
    outcome.rows += [(part.training.num_steps + step, _rename(name), value) for step, name, value in found.rows]


def rated_alone(material: Material) -> Material:
    """Return the points with a malignancy label alone, weighted so that both labels have the same total weight."""
    is_rated = material.points["malignancy"].notna().to_numpy()
    points = material.points[is_rated].reset_index(drop=True)
    is_malignant = points["malignancy"].to_numpy() > 0.5
    totals = [max(points["weight"][is_malignant == side].sum(), 1e-12) for side in (False, True)]
    factor = 0.5 * points["weight"].sum() / np.where(is_malignant, totals[1], totals[0])
    labels = {name: values[is_rated] for name, values in material.labels.items()}
    return replace(material, points=POINTS.conform(points.assign(weight=points["weight"] * factor)), labels=labels)


@contextmanager
def only_trained(network: nn.Module, names: tuple[str, ...]) -> Iterator[None]:
    """Give gradients to the named parts of a network alone until the context ends."""
    network.requires_grad_(False)
    # gradients of the last step would count in the norm that limits the next step
    network.zero_grad(set_to_none=True)
    for name in names:
        network.get_submodule(name).requires_grad_(True)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _rename(name: str) -> str:
    return name if name in KEPT_NAMES else PREFIX + name


def _log_renamed(log: Log, first: int, step: int, metrics: Mapping[str, float]) -> None:
    log(first + step, {_rename(name): value for name, value in metrics.items()})
