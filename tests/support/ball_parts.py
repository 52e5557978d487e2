"""Small parts of a recipe that learn the balls of `ball_scans` within seconds."""

from typing import Any

from lungpipe.settings.recipe import TrainedDetector, TrainedScorer

AUGMENTATION = {"hu_scale": 0.1, "hu_shift": 30.0}
TRAINING = {"num_steps": 8, "batch_size": 4, "learning_rate": 1e-2, "num_checks": 4, "augmentation": AUGMENTATION}
SAMPLING = {"patch_size_vox": 16, "max_offset_vox": 2, "lung_points_per_scan": 4}


def ball_detector(network: dict[str, Any] | None = None, **training: Any) -> TrainedDetector:
    """Return a tiny U-Net detector; `network` and `training` change its settings."""
    chosen = {"channels": [4, 8], **(network or {"kind": "unet", "stem_stride": 1})}
    objective = {"kind": "center", "mask_weight": 0.5} if chosen["kind"] == "center_net" else {"kind": "mask"}
    return TrainedDetector.model_validate(
        {
            "network": chosen,
            "sampling": SAMPLING,
            "training": TRAINING | {"objective": objective} | training,
            "inference": {"tile_size_vox": 32, "halo_vox": 8},
        }
    )


def searching_detector(num_rounds: int = 1, *, hard: dict[str, Any] | None = None, **training: Any) -> TrainedDetector:
    """Return a tiny centre network that searches for false positives, of which it has many: all peaks count."""
    chosen = {"num_rounds": num_rounds, "min_probability": 0.0, **(hard or {})}
    part = ball_detector({"kind": "center_net", "output_stride": 2}, hard_negatives=chosen, **training)
    inference = part.inference.model_dump() | {"decode": {"kind": "peaks", "threshold": 0.0}}
    return TrainedDetector.model_validate({**part.model_dump(), "inference": inference})


def ball_scorer(**training: Any) -> TrainedScorer:
    """Return a tiny ResNet scorer with dropout; `training` changes its settings."""
    return TrainedScorer.model_validate(
        {
            "network": {"kind": "resnet", "channels": [4, 8], "dropout": 0.2},
            "sampling": SAMPLING,
            "training": TRAINING | training,
            "inference": {},
        }
    )


def masked_scorer(detector: TrainedDetector, **network: Any) -> TrainedScorer:
    """Return a tiny scorer that sees the masks of a detector; `network` changes the settings of its network."""
    part = ball_scorer().model_dump()
    part["network"] = {"kind": "masked_rating_net", "channels": [4, 8], "detector": detector.network.model_dump()}
    part["network"] |= network
    part["training"] |= {"objective": {"kind": "ratings"}}
    return TrainedScorer.model_validate(part)
