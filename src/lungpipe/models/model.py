"""Models: networks and their card in one safetensors file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as parse_tensors
from torch import Tensor, nn

from lungpipe.models.build import build_network
from lungpipe.models.card import ModelCard, Role, join_cards
from lungpipe.models.weights_file import digest_tensors, save_tensors, unseal
from lungpipe.tables import require_regular

PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
"""First bytes of files that `torch.save` and `pickle.dump` write."""
MAX_HEADER_BYTES = 100_000_000
"""The longest header of safetensors: a sparse file could promise any length without taking space on the disk."""


@dataclass(frozen=True, slots=True)
class Model:
    """One network, or an ensemble of networks of the same settings, and its card."""

    card: ModelCard
    members: tuple[nn.Module, ...]


def join_models(models: Sequence[Model]) -> Model:
    """Return all members as one ensemble; raises ValueError for models that do not belong together."""
    card = join_cards([model.card for model in models])
    return Model(card, tuple(member for model in models for member in model.members))


def save_model(path: Path, model: Model) -> None:
    """Write members and card atomically, with digests of both; equal content gives equal bytes.

    Raises:
        ValueError: a number of members that differs from the card, or weights that are not finite.
        WriteError: the disk does not take the file.
    """
    expected, found = len(model.card.best_steps), len(model.members)
    if not found or expected != found:
        raise ValueError(f"{path}: expected {expected} members as on the card and at least one, found {found}")
    tensors = {
        f"member{k}.{name}": tensor.detach().cpu().contiguous()
        for k, member in enumerate(model.members)
        for name, tensor in member.state_dict().items()
    }
    _refuse_infinite(path, tensors)
    save_tensors(path, tensors, model.card.to_content())


def read_card(path: Path) -> ModelCard:
    """Read the card alone.

    Raises:
        ValueError: no safetensors file, one that was cut off, a pickle, no card, or a card that cannot be read or was
            edited.
        OSError: no such file, or no regular file.
    """
    return _read_card(path)[0]


def _read_card(path: Path) -> tuple[ModelCard, str]:
    """Return the card, and the digest that the tensors must have."""
    _refuse_other_files(path)
    with _opened(path) as stream:
        return _unsealed(path, stream.metadata() or {})


def _unsealed(path: Path | str, metadata: Mapping[str, str]) -> tuple[ModelCard, str]:
    try:
        content, digest = unseal(metadata)
        return ModelCard.from_content(content), digest
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_model(path: Path, *, expect_role: Role | None = None) -> Model:
    """Rebuild a model on the CPU, in evaluation mode, from its file alone.

    Raises:
        ValueError: as `read_card`; a model of another role; tensors that are missing, too many, of other shapes than
            the card's settings give, not finite, or changed since they were written.
        OSError: no such file, or no regular file.
    """
    card, digest = _read_card(path)
    _expect_role(path, card, expect_role)
    with _opened(path) as stream:
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    return _rebuild(path, card, tensors, digest)


def parse_model(content: bytes, name: str, *, expect_role: Role | None = None) -> Model:
    """Rebuild a model as `load_model` does, from the bytes of its file; `name` stands for the file in messages.

    Raises:
        ValueError: as `load_model`.
    """
    try:
        tensors = parse_tensors(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{name}: expected a model in safetensors, found {error}") from None
    card, digest = _unsealed(name, metadata)
    _expect_role(name, card, expect_role)
    return _rebuild(name, card, tensors, digest)


def _expect_role(path: Path | str, card: ModelCard, role: Role | None) -> None:
    if role is None:
        return
    try:
        card.expect_role(role)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _rebuild(path: Path | str, card: ModelCard, tensors: Mapping[str, Tensor], digest: str) -> Model:
    # drawing the initial weights, which are replaced, must not change the caller's random state
    with torch.random.fork_rng(devices=[]):
        members = tuple(build_network(card.part.network) for _ in card.best_steps)
    _refuse_other_tensors(path, tensors, dict(_named(members)))
    _refuse_infinite(path, tensors)
    if digest_tensors(tensors) != digest:
        raise ValueError(f"{path}: expected the weights as they were written, found changed ones")
    for k, member in enumerate(members):
        prefix = f"member{k}."
        own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        member.load_state_dict(own)
        member.eval()
    return Model(card, members)


def _named(members: Sequence[nn.Module]) -> Iterator[tuple[str, Tensor]]:
    for k, member in enumerate(members):
        yield from ((f"member{k}.{name}", tensor) for name, tensor in member.state_dict().items())


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{path}: expected a model in safetensors, found {error}") from None


def _refuse_other_files(path: Path) -> None:
    require_regular(path)
    with Path(path).open("rb") as stream:
        start, first = stream.read(8), stream.read(1)
        # the length of a safetensors header may begin with the same byte; its JSON follows at once
        if start.startswith(PICKLE_STARTS) and first != b"{":
            raise ValueError(f"{path}: expected a model in safetensors, found a pickle, which could run any code")
        stream.seek(8)
        length = int.from_bytes(start, "little")
        size = Path(path).stat().st_size
        try:
            # safetensors itself refuses a longer header
            header = json.loads(stream.read(length)) if 8 + length <= min(size, MAX_HEADER_BYTES) else {}
        except (ValueError, RecursionError):
            return  # not JSON: safetensors raises its own error
    try:
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (AttributeError, LookupError, TypeError, ValueError):
        return  # no header of safetensors, which raises its own error
    expected = 8 + length + max(ends, default=0)
    if len(start) == 8 and start[7] == 0 and size < expected:
        raise ValueError(f"{path}: expected {expected} bytes, found {size}: the file was cut off")


def _refuse_other_tensors(path: Path | str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for name in sorted({*found, *expected}):
        if name not in found:
            raise ValueError(f"{path}: expected a tensor {name}, found none")
        if name not in expected:
            raise ValueError(f"{path}: expected only tensors of the card's networks, found {name} beside them")
        if found[name].shape != expected[name].shape:
            shapes = f"{tuple(expected[name].shape)}, found {tuple(found[name].shape)}"
            raise ValueError(f"{path}: {name}: expected the shape of the card's settings, {shapes}")


def _refuse_infinite(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{path}: {name}: expected finite weights, found NaN or infinity")
