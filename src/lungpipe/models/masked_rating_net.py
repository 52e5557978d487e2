"""Rating network that also sees the mask which the detector gives to the patch."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lungpipe.datasets.leaks import LeakError
from lungpipe.models.blocks import ResidualBlock
from lungpipe.models.build import build_network
from lungpipe.models.intensity import Intensity
from lungpipe.models.model import load_model
from lungpipe.models.rating_net import RatingNet
from lungpipe.settings.recipe import MaskedRatingNetSettings, TrainedDetector
from lungpipe.settings.recipe.detector import DetectorNetwork

FINAL_FOLDER = "final"
"""Folder of the models of all series; models of fold k are in the folder `fold<k>`."""


class MaskedRatingNet(RatingNet):
    """RatingNet with the detector's mask as a further channel beside the HU windows, at each scale.

    The network holds a frozen copy of the detector's network, which computes the mask (probability, 0 to 1) from the
    patch alone. So every patch has a mask, whether it shows a nodule, a false positive or a random place, and the mask
    follows the augmentation of HU. Stored models need no detector beside them. Of a detector with several members the
    first gives the mask.
    """

    def __init__(self, settings: MaskedRatingNetSettings) -> None:
        super().__init__(settings)
        self.has_detector = False
        self.detector_settings = settings.detector
        self.register_module("intensity", MaskedIntensity(self.intensity, DetectorMask(settings.detector)))
        num_channels = settings.num_scales * (len(settings.windows_hu) + 1)
        self.stages[0] = ResidualBlock(num_channels, settings.channels[0], stride=2)

    def start_from(self, path: Path) -> str:
        """Copy the weights of a trained detector; return whose they are, as text.

        Raises:
            ValueError: no detector, another network than the settings', or one whose mask was not trained.
            LeakError: a detector of another fold than the folder's (`fold<k>`, or `final` for all series).
        """
        model = load_model(path, expect_role="detector")
        part = cast("TrainedDetector", model.card.part)
        if part.network != self.detector_settings:
            expected = f"the network of scorer.network.detector, {_name(self.detector_settings)}"
            raise ValueError(f"{path}: expected {expected}, found {_name(part.network)}")
        if getattr(part.training.objective, "mask_weight", 1.0) <= 0:
            raise ValueError(f"{path}: expected a detector with a trained mask, found training.objective.mask_weight 0")
        fold = model.card.fold
        if path.parent.name != (folder := FINAL_FOLDER if fold is None else f"fold{fold}"):
            raise LeakError(f"{path}: expected the detector of the folder {path.parent.name}, found that of {folder}")
        self.get_submodule("intensity.mask.network").load_state_dict(model.members[0].state_dict())
        self.has_detector = True
        return f"masks of the {model.card.name}, {folder}"

    def forward(self, hu_BCZYX: Tensor, diameter_mm_B: Tensor | None = None) -> dict[str, Tensor]:
        """Return the logits of all heads.

        Raises:
            ValueError: sides that the scales or the detector cannot take; a training without the detector's weights.
        """
        if self.training and not self.has_detector:
            raise ValueError("scorer.network.weights_path: expected the file of a trained detector, found none")
        return super().forward(hu_BCZYX, diameter_mm_B)


class MaskedIntensity(nn.Module):
    """First layer: HU (B, 1, Z, Y, X) to float32 (B, windows + 1, Z, Y, X), the windows and then the mask."""

    def __init__(self, windows: Intensity, mask: "DetectorMask") -> None:
        super().__init__()
        self.windows, self.mask = windows, mask

    def forward(self, hu_BCZYX: Tensor) -> Tensor:
        """Return the windows' intensities and the mask's probabilities."""
        return torch.cat([self.windows(hu_BCZYX), self.mask(hu_BCZYX)], dim=1)


class DetectorMask(nn.Module):
    """A detector's network that gives the probability (B, 1, Z, Y, X) of its mask; its weights are never trained."""

    def __init__(self, settings: DetectorNetwork) -> None:
        super().__init__()
        self.network = build_network(settings).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "DetectorMask":
        """Stay in evaluation mode: a scorer's training must not move the statistics of batch normalisation."""
        return super().train(mode=False)

    def forward(self, hu_BCZYX: Tensor) -> Tensor:
        """Return float32 probabilities; raises ValueError for sides that the network cannot take."""
        probability: Tensor = self.network(hu_BCZYX)["mask"].float().sigmoid()
        return probability


def _name(settings: DetectorNetwork) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.model_dump(mode="json").items())
