"""Detectors and scorers with random weights, which find something everywhere, as model files."""

from pathlib import Path

import torch
from ball_parts import ball_detector, ball_scorer

from lungpipe.models import Model, ModelCard, Role, build_network, digest_of, save_model
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer

SPACING_MM = (2.0, 2.0, 2.0)
Triple = tuple[float, float, float]
Part = TrainedDetector | TrainedScorer


def write_random_detector(
    path: Path, part: TrainedDetector | None = None, *, saw: tuple[str, ...] = (), spacing_zyx_mm: Triple = SPACING_MM
) -> Path:
    """Write a detector (a small centre network unless a part is given) that was trained on the series `saw`."""
    part = small_center_net() if part is None else part
    return _write(path, "detector", part, saw, spacing_zyx_mm)


def write_random_scorer(
    path: Path, *, saw: tuple[str, ...] = (), spacing_zyx_mm: Triple = SPACING_MM, is_rating: bool = False
) -> Path:
    """Write a tiny scorer that was trained on the series `saw`; one that also rates with `is_rating`."""
    part = ball_scorer().model_dump()
    if is_rating:
        part["network"] = {"kind": "rating_net", "channels": [4, 8]}
        part["training"] |= {"objective": {"kind": "ratings"}}
    return _write(path, "scorer", TrainedScorer.model_validate(part), saw, spacing_zyx_mm)


def write_random_part(path: Path, role: Role, part: Part) -> Path:
    """Write a model of a recipe's part with random weights."""
    return _write(path, role, part, (), SPACING_MM)


def _write(path: Path, role: Role, part: Part, saw: tuple[str, ...], spacing_zyx_mm: Triple) -> Path:
    torch.manual_seed(0)
    network = build_network(part.network).eval()
    for module in network.modules():
        # a new network's maps are all but flat
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.02, 0.2)
    card = ModelCard(
        role=role,
        recipe="random",
        settings=part.model_dump(mode="json"),
        spacing_zyx_mm=spacing_zyx_mm,
        fold=None,
        # a card names at least one series
        training_series=tuple(sorted(map(digest_of, saw or ("a series of another study",)))),
        validation_series=(),
        patients=(),
        data_digest="",
        best_steps=(1,),
        figures={},
    )
    save_model(path, Model(card, (network,)))
    return path


def small_center_net() -> TrainedDetector:
    """Return the settings of a small centre network whose threshold leaves some of its peaks."""
    part = ball_detector({"kind": "center_net", "output_stride": 2})
    inference = part.inference.model_dump() | {"decode": {"kind": "peaks", "threshold": 0.005}}
    return TrainedDetector.model_validate({**part.model_dump(), "inference": inference})
