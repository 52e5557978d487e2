"""The manifest of a bundle: what its models are, what its programs take and return, and the digest of every file."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_FILE, SIGNATURE_FILE, CARD_FILE = "manifest.json", "signature.json", "MODEL_CARD.md"
FORMAT_VERSION: Final = 1
Role = Literal["detector", "scorer"]
ProgramKind = Literal["torchscript", "torch_export", "onnx"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileFacts(_Part):
    """A file of the bundle: its SHA-256 and its size in bytes."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)


class TensorFacts(_Part):
    """An input or output of a program.

    A side of the shape is a number, or a text where it is free: `batch`, or `8 z` for a multiple of 8 voxels.
    """

    name: str
    dtype: Literal["float32"] = "float32"
    shape: tuple[int | str, ...]
    meaning: str


class ProgramFacts(_Part):
    """A program of a model: its file, and by output the largest difference from the model in Python."""

    file: str
    largest_difference: dict[str, float]


class ModelFacts(_Part):
    """A model: its file, its card (settings, digests of training series, figures, limits), and its programs.

    A program takes `inputs` and returns `outputs` in this order: logits, the mean over the members of an ensemble.
    """

    file: str
    card: dict[str, Any]
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    programs: dict[ProgramKind, ProgramFacts]


class Manifest(_Part):
    """The content of manifest.json.

    `label_rule` says how readers' ratings became labels of malignancy. `files` are all files of the bundle but the
    manifest and its signature.
    """

    format_version: Literal[1] = FORMAT_VERSION
    notice: str
    name: str
    lungpipe_version: str
    licence: str
    label_rule: str
    models: dict[Role, ModelFacts]
    files: dict[str, FileFacts]
