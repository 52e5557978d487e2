"""Weights of a file from which a training starts."""

from pathlib import Path
from typing import Protocol, cast

from torch import nn

from lungpipe.settings.recipe import NetworkSettings
from lungpipe.training.run import Say


class StartsFromFile(Protocol):
    """A network that copies weights of a file."""

    def start_from(self, path: Path) -> str:
        """Copy the weights of a file; return which were copied, as text."""


def start_weights(network: nn.Module, settings: NetworkSettings, say: Say) -> None:
    """Copy the weights of `settings.weights_path`, where a network has that setting, and say what was copied.

    Raises:
        ValueError: a file that does not have the network's weights.
    """
    if not hasattr(settings, "weights_path"):
        return
    if settings.weights_path is None:
        say("weights_path is null: the network is trained from scratch")
        return
    path = Path(settings.weights_path)
    say(f"{path}: the training starts from {cast('StartsFromFile', network).start_from(path)}")
