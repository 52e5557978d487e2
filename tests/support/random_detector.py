"""A small detector with random weights, which finds something everywhere, as a model file."""

from pathlib import Path
from typing import Any

import torch
from ball_parts import ball_detector

from lungpipe.models import Model, ModelCard, build_network, digest_of, save_model

SPACING_MM = (2.0, 2.0, 2.0)


def write_random_detector(path: Path, *, saw: tuple[str, ...] = (), seed: int = 0) -> Path:
    """Write a centre network for volumes of 2 mm whose card says that it was trained on the series `saw`."""
    part = ball_detector({"kind": "center_net", "output_stride": 2})
    decode: dict[str, Any] = {"kind": "peaks", "threshold": 0.005}
    part = part.model_validate({**part.model_dump(), "inference": {**part.inference.model_dump(), "decode": decode}})
    torch.manual_seed(seed)
    network = build_network(part.network).eval()
    for module in network.modules():
        # a new network's maps are all but flat
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.02, 0.2)
    card = ModelCard(
        role="detector",
        recipe="random",
        settings=part.model_dump(mode="json"),
        spacing_zyx_mm=SPACING_MM,
        fold=None,
        training_series=tuple(sorted(map(digest_of, saw))),
        validation_series=(),
        patients=(),
        data_digest="",
        best_steps=(1,),
        figures={},
    )
    save_model(path, Model(card, (network,)))
    return path
