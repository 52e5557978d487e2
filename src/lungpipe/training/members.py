"""Train the members of a detector or scorer one after another, each with its own seed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from lungpipe.models import Hardware, build_network, resolve
from lungpipe.models.measured import MeasuredMalignancy
from lungpipe.sampling.feed import Feed, MaskReader
from lungpipe.sampling.plan import FeedPlan
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer
from lungpipe.tables import HISTORY
from lungpipe.training.augment import margin_for
from lungpipe.training.distributed import processes
from lungpipe.training.first_weights import start_weights
from lungpipe.training.fold_choices import FoldChoices
from lungpipe.training.hard_negatives import Mining, plan_mining
from lungpipe.training.objective import Objective
from lungpipe.training.run import Log, Outcome, Say, TrainingRun, ignore_line
from lungpipe.training.step import seed_of
from lungpipe.training.trainer import fit

Part = TrainedDetector | TrainedScorer


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Training or validation data: points (contract POINTS), stores by series, nodules and exclusions.

    `masks` reads nodule masks, which `sampling.mask: annotated` needs. `labels` are labels by name beside those of the
    points, (points, ...) float32 each.
    """

    points: pd.DataFrame
    volumes: Mapping[str, Path]
    nodules: pd.DataFrame
    exclusions: pd.DataFrame
    masks: MaskReader | None = None
    labels: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def num_nodule_points(self) -> int:
        """Number of points inside nodules."""
        return int((self.points["is_nodule"] == 1).sum())


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Where a detector or scorer is trained, and where progress is reported.

    seed: the study's seed. fold: fold of the study, or None for a model that is trained on all subsets.
    identity: digest of the data and the code; settings, seed and fold are added to it.
    resume_dir: folder of the resume files, or none. cache_bytes: bound of the windows kept in
    memory, those of training and of validation together.
    log: called with (steps taken over all members, metrics). say: called with lines for the user.
    choices: what the folds chose for a model without validation series.
    """

    hardware: Hardware
    seed: int
    log: Log
    fold: int | None = None
    identity: str = ""
    resume_dir: Path | None = None
    cache_bytes: int = 4 * 2**30
    num_threads: int = 2
    say: Say = ignore_line
    choices: FoldChoices | None = None

    def resume_path(self, role: str, member: int) -> Path | None:
        """Return the path of a member's resume file."""
        return None if self.resume_dir is None else self.resume_dir / f"{role}_member{member}_resume.pt"

    def member_seed(self, member: int) -> int:
        """Return the seed of a member, which depends on the study's seed, the fold and the member's number."""
        return seed_of(self.seed, 0 if self.fold is None else self.fold + 1, member)


@dataclass(frozen=True, slots=True)
class Trained:
    """The members of a part, how each was trained, and for the card: figures, and what learned from measures."""

    members: tuple[nn.Module, ...]
    outcomes: tuple[Outcome, ...]
    total_steps: int
    figures: Mapping[str, float] = field(default_factory=dict)
    measured: tuple[MeasuredMalignancy, ...] = ()

    @property
    def history(self) -> pd.DataFrame:
        """Return the metrics of all members (contract HISTORY); a member's steps follow those of the one before."""
        rows = [
            (member * self.total_steps + step, metric, value)
            for member, outcome in enumerate(self.outcomes)
            for step, metric, value in outcome.rows
        ]
        return HISTORY.conform(pd.DataFrame(rows, columns=["step", "metric", "value"]))


class Finish(Protocol):
    """What follows the training of each member, such as the fine-tuning of a part of the network."""

    def __call__(self, *, network: nn.Module, outcome: Outcome, member: int) -> None:
        """Change the trained network, and append metrics to the outcome of its training."""


def train_members(
    part: Part,
    material: tuple[Material, Material],
    job: TrainingJob,
    plan: FeedPlan,
    *,
    finish: Finish | None = None,
) -> Trained:
    """Train `part.training.num_members` networks on `material` = (training, validation).

    `plan` describes how windows are drawn; its seed is set for each member. With a resume folder a stopped training
    continues: finished members are read from their resume files. `finish` is called with each trained member.
    """
    role: Literal["detector", "scorer"] = "detector" if isinstance(part, TrainedDetector) else "scorer"
    members, outcomes = [], []
    for member in range(part.training.num_members):
        seed = job.member_seed(member)
        torch.manual_seed(seed)
        network = build_network(part.network)
        start_weights(network, part.network, job.say)
        feeds = open_feeds(material, replace(plan, seed=seed))
        first = member * part.training.total_steps
        run = TrainingRun(
            hardware=job.hardware,
            patch_size_vox=part.sampling.patch_size_vox,
            seed=seed,
            log=partial(_log_from, job.log, first),
            resume_path=job.resume_path(role, member),
            identity=identity_of(part, job, seed),
            say=job.say,
            kept_step=None if job.choices is None else job.choices.step,
            mining=_plan_mining(part, material[0], job),
        )
        try:
            outcomes.append(fit(network, feeds, build_objective(part), part.training, run=run))
        finally:
            for feed in feeds:
                feed.close()
        if finish is not None:
            finish(network=network, outcome=outcomes[-1], member=member)
        members.append(network)
    return Trained(tuple(members), tuple(outcomes), part.training.total_steps)


def _plan_mining(part: Part, learned: Material, job: TrainingJob) -> Mining | None:
    if not isinstance(part, TrainedDetector):
        return None
    return plan_mining(part, job.hardware, learned.volumes, (learned.nodules, learned.exclusions))


def _log_from(log: Log, first: int, step: int, metrics: Mapping[str, float]) -> None:
    log(first + step, metrics)


def feed_plan(part: Part, job: TrainingJob, spacing_zyx_mm: tuple[float, float, float], **drawing: Any) -> FeedPlan:
    """Return the plan of a part's windows; `drawing` holds the fields of FeedPlan that only one role sets."""
    mine, training, size = processes(), part.training, part.sampling.patch_size_vox
    return FeedPlan(
        patch_size_vox=size,
        max_offset_vox=part.sampling.max_offset_vox,
        margin_vox=margin_for(training.augmentation, size, spacing_zyx_mm),
        batch_size=training.batch_size,
        nodule_fraction=part.sampling.nodule_fraction,
        whole_scan_fraction=part.sampling.whole_scan_fraction,
        augmentation=training.augmentation,
        seed=job.seed,
        rank=mine.rank,
        world_size=mine.world_size,
        cache_bytes=job.cache_bytes,
        num_threads=job.num_threads,
        is_pinned=job.hardware.device.type == "cuda",
        **drawing,
    )


def open_feeds(material: tuple[Material, Material], plan: FeedPlan) -> tuple[Feed, Feed]:
    """Return the feeds of training and validation, which share `plan.cache_bytes` of memory.

    Three quarters are for training, which has more points and draws windows all the time.
    """
    for_training = 3 * plan.cache_bytes // 4
    shares = (for_training, plan.cache_bytes - for_training)
    training, validation = (
        Feed(
            side.points,
            side.volumes,
            (side.nodules, side.exclusions),
            replace(plan, cache_bytes=share),
            masks=side.masks,
            labels=side.labels,
        )
        for side, share in zip(material, shares, strict=True)
    )
    return training, validation


def build_objective(part: Part) -> Objective:
    """Return the objective that the part's settings name."""
    objective: Objective = resolve(part.training.objective.builds)(part.training.objective)  # type: ignore[operator]
    return objective


def identity_of(part: Part, job: TrainingJob, seed: int) -> str:
    """Return the digest of everything that a member's training depends on."""
    content = {
        "identity": job.identity,
        "part": part.model_dump(mode="json"),
        "seed": seed,
        "hardware": [str(job.hardware.device.type), str(job.hardware.dtype)],
        "processes": processes().world_size,
    }
    if job.choices is not None:
        content["choices"] = asdict(job.choices)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def tuning_path(job: TrainingJob, member: int) -> Path | None:
    """Return the path of the resume file of a member's fine-tuning."""
    return job.resume_path("tuning", member)


def delete_resume_files(role: Literal["detector", "scorer"], job: TrainingJob, num_members: int) -> None:
    """Delete the resume files of a training whose outputs are written, those of a scorer's fine-tuning included."""
    for member in range(num_members):
        for path in (job.resume_path(role, member), tuning_path(job, member) if role == "scorer" else None):
            if path is not None and processes().is_first:
                path.unlink(missing_ok=True)
