"""Train every network for 20 steps; `make golden` stores losses, scores and a checksum of the weights.

Everything that chooses between instruction sets is pinned to what all x86-64 processors with AVX2 have (PINS), oneDNN
is off, and one thread computes. Measured on one AMD EPYC: the same bits with and without AVX-512.
"""

import hashlib
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from ball_scans import write_ball_scans
from numpy.typing import NDArray
from random_detector import write_random_part
from torch import nn

from lungpipe.models import choose_hardware
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import (
    BlockCnnSettings,
    CenterNetSettings,
    Cnn3dSettings,
    DetectorInference,
    DetectorSampling,
    DetectorTraining,
    FineTuneSettings,
    MaskedRatingNetSettings,
    RatingNetSettings,
    ResNetSettings,
    ScorerInference,
    ScorerSampling,
    ScorerTraining,
    SliceCnnSettings,
    SliceUNetSettings,
    SliceVgg16Settings,
    TrainedDetector,
    TrainedScorer,
    UNetSettings,
)
from lungpipe.settings.recipe.detector import CenterObjectiveSettings, MaskObjectiveSettings
from lungpipe.settings.recipe.scorer import (
    RatingObjectiveSettings,
    ScoreObjectiveSettings,
    ScorerNetwork,
    ScorerObjective,
    SliceObjectiveSettings,
)
from lungpipe.training.fine_tune import finisher
from lungpipe.training.members import TrainingJob, feed_plan, train_members

PINS = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OMP_NUM_THREADS": "1",
}
"""Environment of a recording; torch reads it when it is imported.

MKL's own choice and its AVX2 branch give other last bits (losses differ by up to 1e-4 after 20 steps): only its
COMPATIBLE branch is the same on processors of all makers.
"""
NUM_STEPS = 20
SCHEDULE = {"num_steps": NUM_STEPS, "num_checks": NUM_STEPS, "batch_size": 4, "learning_rate": 0.01}
WINDOWS = ((-1000, 400), (-160, 240))
SCORES = ScoreObjectiveSettings()


def make_detector(
    network: UNetSettings | SliceUNetSettings | CenterNetSettings,
    patch_size_vox: int = 16,
    optimiser: Literal["adamw", "muon"] = "adamw",
) -> TrainedDetector:
    is_center = isinstance(network, CenterNetSettings)
    objective = CenterObjectiveSettings() if is_center else MaskObjectiveSettings()
    return TrainedDetector(
        network=network,
        sampling=DetectorSampling(patch_size_vox=patch_size_vox, max_offset_vox=4),
        training=DetectorTraining(**SCHEDULE, optimiser=optimiser, objective=objective),
        inference=DetectorInference(),
    )


def make_scorer(
    network: ScorerNetwork,
    objective: ScorerObjective = SCORES,
    fine_tune: FineTuneSettings | None = None,
    patch_size_vox: int = 20,
) -> TrainedScorer:
    return TrainedScorer(
        network=network,
        sampling=ScorerSampling(patch_size_vox=patch_size_vox),
        training=ScorerTraining(**SCHEDULE, objective=objective, fine_tune=fine_tune),
        inference=ScorerInference(),
    )


PARTS = {
    "unet": make_detector(UNetSettings(channels=(4, 6, 8)), patch_size_vox=24),
    "unet_full_resolution": make_detector(UNetSettings(channels=(3, 4), stem_stride=1, is_residual=False)),
    "unet_stride_4": make_detector(UNetSettings(channels=(4, 6), stem_stride=4, windows_hu=WINDOWS), patch_size_vox=24),
    "slice_unet": make_detector(SliceUNetSettings(channels=(4, 6), windows_hu=WINDOWS)),
    "center_net": make_detector(CenterNetSettings(channels=(6, 8)), patch_size_vox=24),
    "center_net_adding": make_detector(CenterNetSettings(channels=(6, 8), output_stride=2, skips="add")),
    "center_net_muon": make_detector(CenterNetSettings(channels=(6, 8), output_stride=2), optimiser="muon"),
    "resnet": make_scorer(ResNetSettings(channels=(4, 6, 8), normalisation="zero_centre")),
    "rating_net": make_scorer(RatingNetSettings(channels=(4, 6, 8), windows_hu=WINDOWS), RatingObjectiveSettings()),
    "masked_rating_net": make_scorer(
        MaskedRatingNetSettings(
            channels=(4, 6, 8), windows_hu=WINDOWS, num_scales=2, detector=CenterNetSettings(channels=(6, 8))
        ),
        RatingObjectiveSettings(),
        patch_size_vox=40,
    ),
    "cnn3d": make_scorer(Cnn3dSettings(channels=(3, 4, 5), hidden=(16, 8), windows_hu=WINDOWS)),
    "slice_cnn": make_scorer(
        SliceCnnSettings(channels=(3, 4, 5), hidden=8, num_planes=3), SliceObjectiveSettings(), patch_size_vox=32
    ),
    "slice_vgg16": make_scorer(
        SliceVgg16Settings(channels=(4, 4, 6, 6, 8), hidden=16, aggregate="maximum", dropout=0.1),
        SliceObjectiveSettings(),
        patch_size_vox=32,
    ),
    "block_cnn": make_scorer(BlockCnnSettings(channels=(4, 5, 6)), fine_tune=FineTuneSettings()),
}


def record(folder: Path) -> dict[str, dict[str, object]]:
    """Train every network on tiny scans written to `folder`; return losses and checksum by name."""
    torch.backends.mkldnn.enabled = False
    hardware = choose_hardware(ComputeSettings(device="cpu", precision="float32"), 1)
    material = tuple(
        write_ball_scans(folder / name, count, seed=seed)
        for name, count, seed in (("training", 6, 1), ("validation", 3, 2))
    )
    for side in material:
        # so that the heads of malignancy and ratings learn, too
        is_nodule = side.points["is_nodule"].to_numpy() == 1
        side.points.loc[is_nodule, "malignancy"] = np.arange(is_nodule.sum()) % 2.0
    rated = tuple(replace(side, labels=draw_labels(side.points)) for side in material)
    figures: dict[str, dict[str, object]] = {}
    for name, plain in PARTS.items():
        part = with_detector(plain, folder) if name == "masked_rating_net" else plain
        job = TrainingJob(hardware=hardware, seed=7, log=lambda step, metrics: None)
        sides = rated if "ratings" in part.network.heads else material
        plan = feed_plan(part, job, (1.0, 1.0, 1.0))
        finish = finisher(part, sides, job, plan) if isinstance(part, TrainedScorer) else None
        trained = train_members(part, sides, job, plan, finish=finish)
        losses = [value for _, metric, value in trained.outcomes[0].rows if metric == "training_loss"]
        scores = [value for _, metric, value in trained.outcomes[0].rows if metric == "score"]
        figures[name] = {"losses": losses, "scores": scores, "weights": checksum(trained.members[0])}
    return figures


def with_detector(part: TrainedScorer, folder: Path) -> TrainedScorer:
    """Return the part with the file of a detector of random weights, which is written to a folder in `folder`."""
    (folder / "final").mkdir()
    path = write_random_part(folder / "final" / "detector.safetensors", "detector", PARTS["center_net"])
    return part.model_copy(update={"network": part.network.model_copy(update={"weights_path": str(path)})})


def draw_labels(points: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Return shares of readers for the nodules' nine ratings, in turn, and the diameters."""
    ratings = np.full((len(points), 9, 6), np.nan, dtype=np.float32)
    for row in np.flatnonzero(points["is_nodule"] == 1):
        ratings[row] = np.roll([0.75, 0.25, 0, 0, 0, 0], row % 4)
    return {"ratings": ratings, "diameter_mm": points["diameter_mm"].to_numpy(np.float32)}


def checksum(network: nn.Module) -> str:
    """Return the SHA-256 of all weights and statistics, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def describe_machine() -> dict[str, str]:
    """Return what the figures may depend on."""
    capability = str(torch.backends.cpu.get_cpu_capability())
    return {"machine": platform.machine(), "capability": capability, "torch": torch.__version__}


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in PINS.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **PINS})  # noqa: S606
    with tempfile.TemporaryDirectory() as place:
        content = {"renewed by": "make golden", "recorded on": describe_machine(), "figures": record(Path(place))}
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n")
