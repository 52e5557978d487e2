"""Files from which a stopped training continues, and files of batches with a loss that is not finite."""

import io
import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lungpipe.sampling.batch import Batch
from lungpipe.tables import replacing, write_bytes

FORMAT_VERSION = 1


def save_resume(path: Path, state: dict[str, Any], identity: str) -> None:
    """Write the state of a training (tensors and plain values) as one complete file.

    `identity` is a digest of everything that the training depends on: settings, data, seed, code.
    """
    # through memory: torch's own writer hides the system's error where the disk is full
    content = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, "identity": identity, "state": state}, content)
    write_bytes(path, content.getbuffer())


def load_resume(path: Path, identity: str, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the state in a resume file on the CPU, or None if the training has to start anew.

    A file that is damaged or belongs to another training is not used; `say` is called with the reason. A missing file
    is not reported.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        say(f"{path}: expected a resume file, found {reason}; the training starts anew")
        return None
    found = content.get("format_version") if isinstance(content, dict) else None
    if found != FORMAT_VERSION:
        say(f"{path}: expected a resume file of version {FORMAT_VERSION}, found {found}; the training starts anew")
        return None
    if content["identity"] != identity:
        found = f"{str(content['identity'])[:12]!r}, expected {identity[:12]!r}"
        say(f"{path}: the resume file is of a training with other settings or data ({found}); the training starts anew")
        return None
    return dict(content["state"])


def keep_batch(path: Path, batch: Batch, step: int) -> None:
    """Write a batch's tensors (named as in `Batch`, with a dot before a key) and its series as safetensors."""
    tensors: dict[str, Tensor] = {"rows": torch.as_tensor(batch.rows)}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor):
            tensors[field.name] = value.contiguous()
        elif isinstance(value, dict):
            tensors |= {f"{field.name}.{name}": tensor.contiguous() for name, tensor in value.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"step": str(step), "series": " ".join(batch.series)})
