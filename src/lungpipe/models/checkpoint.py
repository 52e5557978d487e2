"""Checkpoints: safetensors with a card that says what the weights saw, and refuses to score it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.tables import replacing


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a checkpoint is: network, settings, fold, the series it was trained and validated on, hash of its data."""

    network: str
    settings: dict[str, Any]
    fold: int
    training_uids: tuple[str, ...]
    validation_uids: tuple[str, ...]
    data_digest: str
    best_step: int

    @classmethod
    def of(
        cls, network: str, settings: dict[str, Any], split: Split, *, data_digest: str, best_step: int
    ) -> "ModelCard":
        """Write the card of a network trained on a split."""
        return cls(network, settings, split.fold, split.training_uids, split.validation_uids, data_digest, best_step)

    def refuse_seen(self, series_uids: Iterable[str]) -> None:
        """Raise LeakError if any of the series was used to train these weights or to choose among them."""
        seen = sorted(set(series_uids) & (set(self.training_uids) | set(self.validation_uids)))
        if seen:
            raise LeakError(
                f"{self.network} of fold {self.fold}: expected series it never saw, found {len(seen)} "
                f"that it was trained or validated on, the first {seen[0]}"
            )

    def refuse_other_fold(self, fold: int) -> None:
        """Raise LeakError if these weights belong to another fold."""
        if fold != self.fold:
            raise LeakError(f"{self.network}: expected weights of fold {fold}, found weights of fold {self.fold}")


def save_checkpoint(path: Path, network: nn.Module, card: ModelCard) -> None:
    """Write weights and card whole; equal content gives equal bytes (one metadata key: its order is then fixed)."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"card": json.dumps(asdict(card), sort_keys=True)})


def read_card(path: Path) -> ModelCard:
    """Read the card alone; raises ValueError where the file is not a lungpipe checkpoint."""
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: expected a checkpoint in safetensors, found {error}") from None
    if "card" not in metadata:
        raise ValueError(f"{path}: expected a checkpoint with a model card, found safetensors without one")
    content = json.loads(metadata["card"])
    for key in ("training_uids", "validation_uids"):
        content[key] = tuple(content[key])
    return ModelCard(**content)


def load_checkpoint(path: Path, network: nn.Module, fold: int) -> ModelCard:
    """Load the weights of `fold` into `network` and return the card.

    Raises:
        LeakError: weights of another fold.
        ValueError: no checkpoint, or weights of another network or of other settings.
    """
    card = read_card(path)
    card.refuse_other_fold(fold)
    with safe_open(path, framework="pt") as stream:
        weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: expected weights of this network, found a {card.network}'s: {error}") from None
    return card
