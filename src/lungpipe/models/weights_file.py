"""Tensors with a sealed text in one safetensors file: written whole, and every changed bit is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lungpipe.tables import replacing

_KEY = "card"
"""The one key of the metadata: safetensors writes several keys in a random order."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> None:
    """Write tensors, and JSON content with the digests of both, as one complete file.

    Raises:
        WriteError: the disk does not take the file.
    """
    sealed = {"content": content, "content_sha256": _digest(content), "tensors_sha256": digest_tensors(tensors)}
    with replacing(path) as temporary:
        save_file(dict(tensors), temporary, metadata={_KEY: json.dumps(sealed, sort_keys=True, allow_nan=False)})


def unseal(metadata: Mapping[str, str]) -> tuple[Any, str]:
    """Return the content in a file's metadata and the digest that its tensors must have.

    A file without digests is of an older format: its content is returned with an empty digest, for the caller's check
    of the format.

    Raises:
        ValueError: no content, no JSON, or content that was edited.
    """
    if _KEY not in metadata:
        raise ValueError("expected a model card, found safetensors without one")
    try:
        sealed = json.loads(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"model card: expected JSON, found {error}") from None
    if not isinstance(sealed, dict) or "content_sha256" not in sealed:
        return sealed, ""
    if _digest(sealed.get("content")) != sealed["content_sha256"]:
        raise ValueError("model card: expected the card as it was written, found one that was edited or damaged")
    return sealed["content"], str(sealed.get("tensors_sha256"))


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values of CPU tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
